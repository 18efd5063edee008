package pointer

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// related declares one derived input for each way in which a fact can see another.
const related = `pack: p
zone: Europe/London
inputs:
  low: {observation: ["loinc|low"]}
  dose: {observation: ["loinc|dose"]}
  stay: {encounter: any}
  before: {from: low, where: dose.exists('2h')}
  apart: {from: low, where: "not dose.exists('3h..1h')"}
  after: {from: low, where: dose.exists('after 2h')}
  later: {from: low, where: dose.count('after 1h..3h') == 1}
  month: {from: low, where: dose.exists('1mo')}
  ahead: {from: low, where: dose.exists('after 1mo')}
  ever: {from: low, where: dose.exists()}
  today: {from: low, where: dose.exists('today')}
  yesterday: {from: low, where: dose.count('yesterday') == 1}
  lastday: {from: low, where: dose.count('last day') >= 2}
  inside: {from: low, during: stay}
  dosed: {from: stay, where: dose.during().exists()}
  shared: {from: stay, where: stay.overlaps()}
  second: {from: low, where: before.count('2h') >= 2}
`

func relatedPlan(t testing.TB) *Plan {
	t.Helper()
	p, err := rules.Compile([]clinical.File{{Name: "p.yaml", Data: []byte(related)}}, rules.CompileOptions{})
	require.NoError(t, err)
	return NewPlan(p)
}

var (
	lows  = clinical.NewStream(clinical.KindObservation, "loinc|low")
	doses = clinical.NewStream(clinical.KindObservation, "loinc|dose")
	stays = clinical.NewStream(clinical.KindEncounter, "class|IMP")
)

// placed is a history to which facts come and from which they go, one at a time.
type placed struct {
	*History
	seq uint64
}

func (p *placed) add(s clinical.Stream, from, to clinical.Instant) Fence {
	series := p.Get(s.ID())
	if series == nil {
		series = &Series{ID: s.ID(), Stream: s}
	}
	p.seq++
	e := Entry{Time: from, End: to, Seq: p.seq, Detail: plain}
	series, _ = series.Insert(e)
	p.History = p.With(series)
	return e.Fence()
}

func (p *placed) remove(s clinical.Stream, f Fence) {
	series, _, _ := p.Get(s.ID()).Remove(f)
	p.History = p.With(series)
}

// belonging lists the facts of each derived input.
func belonging(p *Plan, h *History) map[string][]Fence {
	all := map[string][]Fence{}
	for _, id := range p.Program.Derived() {
		in := p.Program.Inputs[id]
		for _, s := range h.Series() {
			if slices.Contains(s.Stream.Codes, in.Settled) {
				for _, e := range within(s, span{clinical.Never, clinical.Forever}) {
					all[in.Name] = append(all[in.Name], e.Fence())
				}
			}
		}
	}
	return all
}

// settledAnew is what belongs when everything is judged from the start.
func settledAnew(p *Plan, h *History) map[string][]Fence {
	whole, _ := p.SettleWhole(h)
	return belonging(p, whole)
}

func TestAFactArrivingAtTheVeryEdgeOfAWindowSettlesThoseThatSeeIt(t *testing.T) {
	p := relatedPlan(t)
	month := rules.Duration{Months: 1}.Before(noon, p.Program.Zone) - noon
	ahead := rules.Duration{Months: -1}.Before(noon, p.Program.Zone) - noon
	midnight := rules.StartOfDay(noon, p.Program.Zone)
	dayBefore := rules.StartOfDay(midnight-1, p.Program.Zone)
	for _, at := range []clinical.Instant{month, dayBefore - noon, midnight - noon, hours(-3) - noon, hours(-2) - noon, hours(-1) - noon, 0, hours(1) - noon, hours(2) - noon, hours(3) - noon, ahead} {
		for _, off := range []clinical.Instant{-1, 0, 1} {
			for _, c := range []struct {
				stream   clinical.Stream
				from, to clinical.Instant
			}{
				{doses, noon + at + off, noon + at + off},
				{stays, noon + at + off, noon + max(at+off, 0)},
				{stays, noon + min(at+off, 0), noon + at + off},
			} {
				if c.to < c.from {
					continue
				}
				h := &placed{History: NewHistory()}
				h.add(lows, noon, noon)
				h.add(stays, hours(-1), hours(1))
				before, _ := p.SettleWhole(h.History)
				h.History = before
				f := h.add(c.stream, c.from, c.to)
				after, _ := p.Settle(before, h.History, []clinical.StreamID{c.stream.ID()})
				require.Equal(t, settledAnew(p, after), belonging(p, after), "arriving, %s at %d%+d", c.stream.Key(), at, off)

				h.History = after
				h.remove(c.stream, f)
				again, _ := p.Settle(after, h.History, []clinical.StreamID{c.stream.ID()})
				require.Equal(t, belonging(p, before), belonging(p, again), "going, %s at %d%+d", c.stream.Key(), at, off)
			}
		}
	}
}

func TestSettlingAfterEachFactIsSettlingAllOfThem(t *testing.T) {
	p := relatedPlan(t)
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 7))
		h := &placed{History: NewHistory()}
		type there struct {
			stream clinical.Stream
			fence  Fence
		}
		var facts []there
		for range 120 {
			before := h.History
			s := []clinical.Stream{lows, doses, stays}[r.IntN(3)]
			if len(facts) > 0 && r.IntN(4) == 0 {
				i := r.IntN(len(facts))
				s = facts[i].stream
				h.remove(s, facts[i].fence)
				facts = slices.Delete(facts, i, i+1)
			} else {
				from := hours(float64(r.IntN(48))) + clinical.Instant(r.IntN(3)-1)
				to := from
				if s.Kind == clinical.KindEncounter {
					if to += clinical.Instant(r.IntN(5)) * 3_600_000; r.IntN(4) == 0 {
						to = clinical.Forever
					}
				}
				facts = append(facts, there{s, h.add(s, from, to)})
			}
			h.History, _ = p.Settle(before, h.History, []clinical.StreamID{s.ID()})
			require.Equal(t, settledAnew(p, h.History), belonging(p, h.History), "seed %d", seed)
		}
	}
}

func TestSettlingSaysWhatTheStoreMustWrite(t *testing.T) {
	p := relatedPlan(t)
	h := &placed{History: NewHistory()}
	h.add(doses, hours(-1), hours(-1))
	before := h.History
	h.add(lows, noon, noon)
	after, settlings := p.Settle(before, h.History, []clinical.StreamID{lows.ID()})
	written := map[clinical.StreamID]bool{}
	for _, s := range settlings {
		require.Equal(t, clinical.KindDerived, s.Stream.Kind)
		require.NotEmpty(t, s.Changes)
		last := s.Changes[len(s.Changes)-1]
		require.Equal(t, after.Get(s.Stream.ID()).Chunks, last.Put)
		written[s.Stream.ID()] = true
	}
	for _, s := range after.Series() {
		require.Equal(t, s.Stream.Kind == clinical.KindDerived, written[s.ID])
	}

	other := relatedPlan(t)
	gone, removed := other.SettleWhole(h.With(&Series{ID: 1, Stream: clinical.NewStream(clinical.KindDerived, "another set|4"),
		Chunks: []*Chunk{newChunk(first, []Entry{{Time: noon, End: noon, Detail: plain}})}}))
	require.Nil(t, gone.Get(1), "what another rule set settled is dropped")
	require.Equal(t, []Fence{first}, removed[0].Changes[0].Delete)
}
