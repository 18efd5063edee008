package replay_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

const pack = `pack: renal
inputs:
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
rules:
  - {id: aki, title: Possible acute kidney injury, severity: warning, source: KDIGO 2012,
     when: creatinine.last('7d') >= 1.5 * creatinine.min('7d')}
  - {id: repeat, title: Repeat it, severity: info, source: x, when: creatinine.hours_since() > 24}
`

const (
	hour = clinical.Instant(3_600_000)
	day  = 24 * hour
)

var noon = clinical.At(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

// followed is an archive with a machine over one partition, and the log so far.
type followed struct {
	t       testing.TB
	archive *archive.Archive
	sets    *replay.Sets
	machine *replay.Machine
	desk    *replay.Desk
	next    int64
	batch   []replay.Entry
}

func follow(t testing.TB) *followed {
	t.Helper()
	a, err := archive.Open("archive", archive.Options{FS: vfs.NewMem()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = a.Close() })
	f := &followed{t: t, archive: a, sets: replay.NewSets(a, rules.CompileOptions{})}
	here := func(string) int32 { return 3 }
	f.machine, err = replay.NewMachine(3, a, replay.Options{Sets: f.sets, Topic: "vigil-facts", Partition: here})
	require.NoError(t, err)
	f.desk, err = replay.NewDesk(replay.DeskOptions{Archive: a, Sets: f.sets, Topic: "vigil-facts", Partition: here})
	require.NoError(t, err)
	return f
}

func (f *followed) add(rec clinical.Record) int64 {
	f.batch = append(f.batch, replay.Entry{Offset: f.next, Key: rec.Patient, Value: rec.Marshal()})
	f.next++
	return f.next - 1
}

func (f *followed) flush() {
	f.t.Helper()
	_, err := f.machine.Apply(context.Background(), f.batch)
	require.NoError(f.t, err)
	f.batch = nil
	for more := true; more; {
		more, err = f.machine.Follow(context.Background(), 100)
		require.NoError(f.t, err)
	}
}

func (f *followed) activate(text string) string {
	files := []clinical.File{{Name: "p.yaml", Data: []byte(text)}}
	hash := rules.NewSet(files...).Hash()
	f.add(clinical.Record{Recorded: clinical.Never, EventOffset: -1, Activation: &clinical.Activation{Hash: hash, Files: files}})
	return hash
}

func creatinine(id string, version int64, at clinical.Instant, value float64) clinical.Assertion {
	return clinical.Assertion{Resource: "Observation/" + id, Version: clinical.Version{Number: version}, Facts: []clinical.Fact{{
		Stream: clinical.NewStream(clinical.KindObservation, "loinc|2160-0"), Time: at, End: at, Number: value,
		Detail: &clinical.Detail{Type: clinical.Number, Unit: "mg/dL"}}}}
}

func (f *followed) state(patient string, recorded clinical.Instant, a ...clinical.Assertion) int64 {
	return f.add(clinical.Record{Patient: patient, Recorded: recorded, EventOffset: f.next * 10, Assertions: a})
}

func born(at clinical.Instant) clinical.Assertion {
	return clinical.Assertion{Resource: "Patient/p1", Facts: []clinical.Fact{{Stream: clinical.NewStream(clinical.KindPatient),
		Time: at, End: clinical.Forever, Detail: &clinical.Detail{}}}}
}

func (f *followed) truth(q replay.Question) record.Truth {
	f.t.Helper()
	e, err := f.desk.Explain(context.Background(), q)
	require.NoError(f.t, err)
	return e.Truth
}

func TestWhatWasKnownIsAnsweredAsItWasKnown(t *testing.T) {
	f := follow(t)
	f.activate(pack)
	f.state("p1", noon-5*day, creatinine("a", 1, noon-5*day, 1.0))
	second := f.state("p1", noon, creatinine("b", 1, noon, 1.9))
	corrected := f.state("p1", noon+hour, creatinine("b", 2, noon, 1.1))
	f.flush()
	at := func(known replay.Known) record.Truth {
		return f.truth(replay.Question{Patient: "p1", Rule: "aki", At: noon + hour, HasAt: true, Known: known})
	}
	before, events, instant := second-1, second*10, noon+hour-1
	require.Equal(t, record.False, at(replay.Known{}))
	require.Equal(t, record.True, at(replay.Known{Facts: &second}))
	require.Equal(t, record.False, at(replay.Known{Facts: &before}))
	require.Equal(t, record.False, at(replay.Known{Facts: &corrected}))
	require.Equal(t, record.True, at(replay.Known{Events: &events}))
	require.Equal(t, record.True, at(replay.Known{Time: &instant}))

	d, err := f.desk.Compare(context.Background(), replay.Question{Patient: "p1", Rule: "aki", At: noon + hour, HasAt: true, Known: replay.Known{Facts: &second}},
		replay.Question{Patient: "p1", Rule: "aki", At: noon + hour, HasAt: true})
	require.NoError(t, err)
	var changes []string
	for _, c := range d.Changes {
		changes = append(changes, c.What+" "+c.Source)
	}
	require.Contains(t, changes, "retracted creatinine.last('7d')")
	require.Contains(t, changes, "added creatinine.last('7d')")
}

func TestAQuestionWithoutAnAnswerIsToldWhy(t *testing.T) {
	f := follow(t)
	f.state("p0", noon-10*day, creatinine("z", 1, noon-10*day, 1))
	first := f.activate(pack)
	f.state("p1", noon-5*day, born(noon-20*365*day), creatinine("a", 1, noon-5*day, 1.0))
	f.activate(strings.ReplaceAll(pack, "aki", "kidney-injury"))
	f.flush()
	zero, far, late := int64(0), f.next, noon+1
	for _, c := range []struct {
		name string
		q    replay.Question
		want error
		says string
	}{
		{"a patient of whom nothing was ever said", replay.Question{Patient: "p9", Rule: "repeat"}, replay.ErrUnknownPatient, ""},
		{"a patient of whom nothing was said then", replay.Question{Patient: "p1", Rule: "repeat", Known: replay.Known{Facts: &zero}}, replay.ErrUnknownPatient, ""},
		{"a misspelt rule", replay.Question{Patient: "p1", Rule: "repeet"}, replay.ErrUnknownRule, "did you mean repeat?"},
		{"a rule of an earlier set", replay.Question{Patient: "p1", Rule: "aki"}, replay.ErrUnknownRule, ""},
		{"before the birth", replay.Question{Patient: "p1", Rule: "repeat", At: noon - 30*365*day, HasAt: true}, replay.ErrBeforeBirth, ""},
		{"a position that is not reached", replay.Question{Patient: "p1", Rule: "repeat", Known: replay.Known{Facts: &far}}, replay.ErrNotYetKnown, ""},
		{"an event that is not reached", replay.Question{Patient: "p1", Rule: "repeat", Known: replay.Known{Events: ptr(int64(1e9))}}, replay.ErrNotYetKnown, ""},
		{"a time that is not reached", replay.Question{Patient: "p1", Rule: "repeat", Known: replay.Known{Time: &late}}, replay.ErrNotYetKnown, ""},
		{"before any rules", replay.Question{Patient: "p0", Rule: "repeat", Known: replay.Known{Facts: &zero}}, replay.ErrNoRuleSet, ""},
		{"a set that never was", replay.Question{Patient: "p1", Rule: "repeat", Set: "0123456789"}, replay.ErrUnknownRuleSet, ""},
		{"too few digits of one that was", replay.Question{Patient: "p1", Rule: "repeat", Set: first[:4]}, replay.ErrUnknownRuleSet, "8 digits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.desk.Explain(context.Background(), c.q)
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), c.q.Patient, "no patient in an error")
		})
	}
	var unknown *replay.UnknownRule
	_, err := f.desk.Explain(context.Background(), replay.Question{Patient: "p1", Rule: "aki"})
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, []string{first}, unknown.Sets)
	require.Equal(t, record.False, f.truth(replay.Question{Patient: "p1", Rule: "aki", Set: first[:8]}))

	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = f.desk.Explain(ended, replay.Question{Patient: "p1", Rule: "repeat", MinPosition: f.next + 5})
	require.ErrorIs(t, err, replay.ErrNotReached)
}

func ptr[T any](v T) *T { return &v }

func TestTheArchiveHoldsEachPatientsChain(t *testing.T) {
	f := follow(t)
	f.activate(pack)
	for p := range 5 {
		id := fmt.Sprintf("p%d", p)
		f.state(id, noon, creatinine("a"+id, 1, noon-day, 1.0), creatinine("b"+id, 1, noon, 1.9))
	}
	for p := range 5 {
		id := fmt.Sprintf("p%d", p)
		f.state(id, noon+10*day, creatinine("c"+id, 1, noon+10*day, 1.0))
	}
	f.flush()
	v, err := f.desk.Verify(context.Background(), "", 4)
	require.NoError(t, err)
	require.True(t, v.Intact())
	require.EqualValues(t, 5, v.Patients)
	require.EqualValues(t, f.machineState().Explained, v.Explanations)

	var kinds []string
	err = f.desk.Records(context.Background(), "p1", noon-day, noon+9*day, 0, func(e *record.Explanation) error {
		kinds = append(kinds, fmt.Sprintf("%s %s by %s", e.Rule.ID, e.Kind, e.Cause.Kind))
		return e.Check()
	})
	require.NoError(t, err)
	require.Equal(t, []string{"aki fired by fact", "repeat fired by time", "aki cleared by time"}, kinds)
	require.ErrorIs(t, f.desk.Records(context.Background(), "p9", 0, 0, 0, nil), replay.ErrUnknownPatient)
}

func (f *followed) machineState() archive.State {
	p, err := f.archive.Partition(3)
	require.NoError(f.t, err)
	return p.State()
}

// BenchmarkAnswer answers for patients of 100 and of 10,000 facts, each in a record of its own.
func BenchmarkAnswer(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		f := follow(b)
		f.activate(pack)
		for i := range n {
			at := noon - clinical.Instant(n-i)*hour/4
			f.state("p1", at, creatinine(fmt.Sprint(i), 1, at, 1+float64(i%7)/10))
		}
		f.flush()
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := f.desk.Explain(context.Background(), replay.Question{Patient: "p1", Rule: "aki"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestOneByteEditedInTheArchiveBreaksTheChainThere(t *testing.T) {
	f := follow(t)
	f.activate(pack)
	f.state("p1", noon, creatinine("a", 1, noon-day, 1.0), creatinine("b", 1, noon, 1.9))
	f.state("p1", noon+10*day, creatinine("c", 1, noon+10*day, 1.0))
	f.flush()
	part, err := f.archive.Partition(3)
	require.NoError(t, err)
	var second archive.Entry
	require.NoError(t, part.Explanations("p1", clinical.Never, clinical.Forever, 1, 1, func(e archive.Entry) error {
		second = e
		second.Data = slices.Clone(e.Data)
		return nil
	}))
	for _, at := range []int{0, len(second.Data) / 3, len(second.Data) / 2, len(second.Data) - 1} {
		edited := second
		edited.Data = slices.Clone(second.Data)
		edited.Data[at] ^= 1
		b := part.Begin()
		b.Explain("p1", edited)
		require.NoError(t, b.Commit())
		v, err := f.desk.Verify(context.Background(), "p1", 4)
		require.NoError(t, err)
		require.Len(t, v.Breaks, 1, "byte %d", at)
		require.EqualValues(t, 2, v.Breaks[0].Sequence)
		require.Equal(t, record.Altered, v.Breaks[0].Reason)
	}
}

const stayPack = `pack: stays
inputs:
  stay: {encounter: any}
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
rules:
  - {id: high, title: High creatinine in this stay, severity: warning, source: x, for_each: stay, when: not ended and creatinine.during().max() > 2}
  - {id: ever, title: High creatinine ever, severity: info, source: x, when: creatinine.max() > 2}
`

func stay(id string, start, end clinical.Instant) clinical.Assertion {
	return clinical.Assertion{Resource: "Encounter/" + id, Facts: []clinical.Fact{{Stream: clinical.NewStream(clinical.KindEncounter, "class|IMP"),
		Time: start, End: end, Detail: &clinical.Detail{}}}}
}

func TestAStayIsExplainedByItself(t *testing.T) {
	f := follow(t)
	f.activate(stayPack)
	f.state("p1", noon-10*day, stay("a", noon-10*day, noon-8*day), creatinine("a", 1, noon-9*day, 3))
	f.state("p1", noon-2*day, stay("b", noon-2*day, clinical.Forever), creatinine("b", 1, noon-day, 1))
	f.state("p2", noon, creatinine("c", 1, noon, 3))
	f.flush()
	first, second, none := noon-10*day, noon-2*day, noon-3*day
	ask := func(patient, rule string, period *clinical.Instant, at clinical.Instant) (*record.Explanation, error) {
		return f.desk.Explain(context.Background(), replay.Question{Patient: patient, Rule: rule, Period: period, At: at, HasAt: true})
	}
	for name, c := range map[string]struct {
		period *clinical.Instant
		at     clinical.Instant
		truth  record.Truth
		start  clinical.Instant
	}{
		"the one that is named":        {&first, noon - 9*day, record.True, first},
		"when it has ended":            {&first, noon, record.False, first},
		"before it begins":             {&second, noon - 9*day, record.False, second},
		"else the latest that has":     {nil, noon, record.False, second},
		"the latest at another moment": {nil, noon - 9*day, record.True, first},
	} {
		e, err := ask("p1", "high", c.period, c.at)
		require.NoError(t, err, name)
		require.Equal(t, c.truth, e.Truth, name)
		require.Equal(t, record.Instant(c.start), e.Period.Start, name)
		require.Len(t, e.Period.Facts, 1, name)
		require.Contains(t, e.Suffices, e.Period.Facts[0], "without its facts there would be no stay")
	}
	e, err := ask("p2", "high", nil, noon)
	require.NoError(t, err)
	require.Equal(t, record.False, e.Truth)
	require.Nil(t, e.Period)
	require.Equal(t, "No such period is on record.", e.Message)

	for name, q := range map[string]replay.Question{
		"no stay begins then":                 {Patient: "p1", Rule: "high", Period: &none},
		"the rule holds for the patient":      {Patient: "p1", Rule: "ever", Period: &first},
		"no stay of this patient begins then": {Patient: "p2", Rule: "high", Period: &first},
	} {
		_, err := f.desk.Explain(context.Background(), q)
		require.ErrorIs(t, err, replay.ErrUnknownPeriod, name)
	}
	d, err := f.desk.Compare(context.Background(), replay.Question{Patient: "p1", Rule: "high", At: noon - 3*day, HasAt: true},
		replay.Question{Patient: "p1", Rule: "high", At: noon, HasAt: true})
	require.NoError(t, err)
	require.Equal(t, d.Later.Period.Start, d.Earlier.Period.Start, "both are about the same stay")
}
