package equivalence

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// Log is a partition's facts log about several patients, with several rule sets that become active in it.
type Log struct {
	Records  []clinical.Record // the offset is the index
	Patients []string
}

// DrawLog makes the log of a seed: cases of several patients, mixed, under rules that change now and then.
func DrawLog(seed uint64) *Log {
	d := drawer{Rand: rand.New(rand.NewPCG(seed, 0xa0d17))}
	l := new(Log)
	var stated [][]clinical.Record // about each patient, that is not yet in the log
	for i := range 2 + d.IntN(3) {
		l.Patients = append(l.Patients, fmt.Sprintf("p%d", i+1))
		stated = append(stated, drawer{Rand: rand.New(rand.NewPCG(seed<<8+uint64(i), 0x5eed))}.records())
	}
	activation := func() clinical.Record {
		inputs := d.inputs()
		d.declare(inputs)
		c := Case{Sections: d.declared.text}
		files := c.files(inputs, d.conditions(inputs, 8), d.site())
		return clinical.Record{Recorded: clinical.Never, EventOffset: -1, Activation: &clinical.Activation{Hash: rules.NewSet(files...).Hash(), Files: files}}
	}
	if d.IntN(6) > 0 {
		l.Records = append(l.Records, activation())
	}
	clock := start
	for events := int64(0); ; {
		var open []int
		for i, records := range stated {
			if len(records) > 0 {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			break
		}
		if d.IntN(25) == 0 {
			l.Records = append(l.Records, activation())
		}
		i := pick(d, open...)
		rec := stated[i][0]
		stated[i] = stated[i][1:]
		if !rec.Tick {
			rec.Patient, rec.EventOffset = l.Patients[i], events
			events++
		}
		clock = max(clock, rec.Recorded)
		l.Records = append(l.Records, rec)
	}
	l.Records = append(l.Records, activation(), clinical.Record{Recorded: clock + 500*day, EventOffset: -1, Tick: true},
		clinical.Record{Recorded: clock + 500*day, EventOffset: -1, Tick: true})
	return l
}

// Asked is what the engine answered once.
type Asked struct {
	Patient string
	Offset  int64 // the engine had applied the log up to here
	Now     clinical.Instant
	Truths  map[held]rules.Truth
}

// Engine plays the log through the engine in a partition of the store, and asks it on the way.
func (l *Log) Engine(s *store.Store, partition int32, random *rand.Rand) (transitions map[string]processor.Transition, asked []Asked, err error) {
	part, err := s.Partition(partition)
	if err != nil {
		return nil, nil, err
	}
	sets := processor.NewRuleSets(rules.CompileOptions{}, nil)
	transitions = make(map[string]processor.Transition)
	machine, err := processor.NewMachine(partition, part, sets, processor.Observer{Transition: func(t *processor.Transition) { transitions[t.ID] = *t }})
	if err != nil {
		return nil, nil, err
	}
	reader := store.NewReader(s, store.ReaderOptions{Plan: sets.Plan, Partition: func(string) int32 { return partition }})
	for i := range l.Records {
		if err := machine.Apply(&l.Records[i], int64(i), func([]byte) error { return nil }); err != nil {
			return nil, nil, err
		}
		state := part.State()
		if random.IntN(4) > 0 || state.RuleSet == "" || state.Clock == clinical.Never {
			continue
		}
		a := Asked{Patient: l.Patients[random.IntN(len(l.Patients))], Offset: int64(i), Truths: map[held]rules.Truth{},
			Now: state.Clock + clinical.Instant(random.Int64N(int64(4*day))-int64(day))}
		got, err := reader.Read(a.Patient, a.Now)
		if err != nil {
			return nil, nil, err
		}
		plan, err := sets.Plan(state.RuleSet)
		if err != nil {
			return nil, nil, err
		}
		for _, rule := range plan.Program.Rules {
			for _, res := range got.Results {
				if res.Rule == int32(rule.Index) && res.Period != clinical.Never && res.Period <= a.Now {
					a.Truths[held{rule.ID, res.Period}] = res.Truth
				}
			}
			if rule.Each == 0 {
				a.Truths[held{rule.ID, clinical.Never}] = got.Truth(int32(rule.Index), clinical.Never)
			}
		}
		asked = append(asked, a)
	}
	return transitions, asked, nil
}

// Explain follows the log into a partition of the archive, cut at random.
func (l *Log) Explain(a *archive.Archive, sets *replay.Sets, partition int32, random *rand.Rand) error {
	ctx := context.Background()
	o := replay.Options{Sets: sets, Topic: "facts", Partition: func(string) int32 { return partition }, Charts: replay.NewCharts(random.Int64N(1 << 20))}
	machine, err := replay.NewMachine(partition, a, o)
	if err != nil {
		return err
	}
	for from := 0; from < len(l.Records); {
		to := min(len(l.Records), from+1+random.IntN(12))
		var batch []replay.Entry
		for i := max(0, from-random.IntN(3)); i < to; i++ { // some records come again
			rec := &l.Records[i]
			batch = append(batch, replay.Entry{Offset: int64(i), Key: rec.Patient, Value: rec.Marshal()})
		}
		if _, err := machine.Apply(ctx, batch); err != nil {
			return err
		}
		from = to
		for more := random.IntN(2) == 0; more; {
			if more, err = machine.Follow(ctx, 1+random.IntN(3)); err != nil {
				return err
			}
			more = more && random.IntN(5) > 0
		}
		if random.IntN(6) == 0 { // a restart
			if machine, err = replay.NewMachine(partition, a, o); err != nil {
				return err
			}
		}
	}
	for more := true; more; {
		if more, err = machine.Follow(ctx, 2); err != nil {
			return err
		}
	}
	return nil
}

// Explained is every explanation of a partition of the archive, by id.
func (l *Log) Explained(a *archive.Archive, partition int32) (map[string]*record.Explanation, error) {
	part, err := a.Partition(partition)
	if err != nil {
		return nil, err
	}
	found := make(map[string]*record.Explanation)
	for _, patient := range l.Patients {
		err := part.Explanations(patient, clinical.Never, clinical.Forever, 0, math.MaxInt, func(e archive.Entry) error {
			x, err := record.Unmarshal(e.Data)
			if err == nil {
				found[x.ID] = x
				err = x.Check()
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Differs says how an explanation and the engine's transition of the same id differ; "" when they agree.
func Differs(t processor.Transition, e *record.Explanation) string {
	switch {
	case t.Kind != string(e.Kind):
		return "kind " + t.Kind + " and " + string(e.Kind)
	case clinical.At(t.At) != clinical.Instant(e.At):
		return fmt.Sprintf("at %s and %s", t.At, clinical.Instant(e.At))
	case clinical.At(t.Since) != clinical.Instant(*e.Since):
		return fmt.Sprintf("since %s and %s", t.Since, clinical.Instant(*e.Since))
	case t.RuleSet != e.RuleSet.Hash:
		return "rule set"
	case t.Cause.Kind != string(e.Cause.Kind):
		return "cause " + t.Cause.Kind + " and " + string(e.Cause.Kind)
	case t.Severity != e.Rule.Severity:
		return "severity"
	}
	for source, value := range t.Values {
		i := slices.IndexFunc(e.Terms, func(x record.Term) bool { return x.Source == source })
		if i < 0 {
			return "no term " + source
		}
		if got := rules.Value(e.Terms[i].Value); !same(value, got) {
			return fmt.Sprintf("%s is %s and %s", source, show(value), show(got))
		}
	}
	return ""
}
