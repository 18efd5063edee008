package explain

import (
	"cmp"
	"math"
	"slices"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// remedy is a change of one fact that makes a rule true.
type remedy struct {
	Kind  record.ChangeKind
	Input *rules.Input
	Value rules.Value // of an added fact, in the input's unit; missing where it may be any
	Fact  *Statement  // the one removed
	Text  string      // in plain words: "a creatinine of 1.8 mg/dL or more now"

	added clinical.Fact
	move  float64 // of an added number: how far from the present one, as a part of it
}

// remedyWork is about how many facts the search for a remedy looks at.
const remedyWork = 1_000_000

// remedy is the smallest change found that makes a rule true that is not true now. It prefers a number added
// to an input that the rule asks, by how far it lies from the present one; then another fact added; then the
// same of inputs that decide which facts belong to those; then a fact taken away from what the blockers look
// at, or from what decides which facts those are. The rule has been evaluated on the facts as they would be.
// A change of more than one fact is not looked for, and not every change of one is tried.
func (r *reading) remedy(rule *rules.Rule, now clinical.Instant, blockers []blocker) (remedy, bool) {
	s := r.search(rule, now)
	asked := s.inputs()
	for _, kind := range []func() []remedy{
		func() []remedy { return s.numbers(asked) }, func() []remedy { return s.others(asked) },
		func() []remedy { return s.numbers(s.inner) }, func() []remedy { return s.others(s.inner) },
		func() []remedy { return s.removals(blockers) },
	} {
		found := kind()
		slices.SortStableFunc(found, func(x, y remedy) int { return cmp.Compare(x.move, y.move) })
		for _, x := range found {
			if s.confirmed(x) {
				return x, true
			}
		}
	}
	return remedy{}, false
}

// confirmed evaluates the whole rule on the whole history with the change made.
func (s *search) confirmed(x remedy) bool {
	var h History
	if x.Kind == record.Add {
		h = append(slices.Clip(s.whole.history), s.statement(x.added))
	} else {
		h = slices.DeleteFunc(slices.Clone(s.whole.history), func(o Statement) bool { return o.Order == x.Fact.Order })
	}
	return s.Reference.Truth(s.rule, h, s.now) == rules.True
}

// search tries changes of one fact on the patient's facts.
type search struct {
	*reading // of those facts only on which the terms' answers rest, so that a trial costs little
	whole    *reading
	rule     *rules.Rule
	terms    []*rules.Term
	now      clinical.Instant
	work     int  // how many facts may still be looked at
	entire   bool // a fact may make others belong: each trial reads the whole history

	inner  []*rules.Input // that decide which facts belong to those that the rule asks
	within []*rules.Term  // by which they do

	stream string // of the fact last tried, for which the following is prepared
	spots  []spot
	known  map[*rules.Term]rules.Value // answers that such a fact does not touch
	cost   int

	gaps map[int]*gap // by input, once a fact has been left out
}

// spot is where a fact added now comes to stand in one input.
type spot struct {
	input         *rules.Input
	without, with []member
	place         int // in with
}

func (r *reading) search(rule *rules.Rule, now clinical.Instant) *search {
	s := &search{whole: r, rule: rule, terms: termsOf(rule.When), now: now, work: remedyWork,
		reading: &reading{Reference: r.Reference, whole: true, period: r.period, members: map[int][]member{}, persons: r.persons}}
	s.entire = r.derived(s.terms)
	for _, in := range s.inputs() {
		s.members[in.ID] = s.resting(in.ID)
	}
	s.inner, s.within = s.behind()
	for _, in := range s.inner {
		s.members[in.ID] = r.input(in.ID)
	}
	return s
}

// resting is the facts of an input on which the answers of its terms rest, or all where these are many.
func (s *search) resting(input int) []member {
	const many = 50
	w := witness{reading: s.whole, now: s.now}
	var rests []member
	for _, t := range s.terms {
		if t.Input != input {
			continue
		}
		seen := w.seen(t)
		if t.Op == rules.Active || s.whole.term(t, s.now).Kind != rules.Missing {
			seen = w.supporting(t)
		}
		if len(seen) > many {
			return s.whole.input(input)
		}
		rests = append(rests, seen...)
	}
	slices.SortFunc(rests, inOrderOfTime)
	return slices.CompactFunc(rests, func(x, y member) bool { return x.Order == y.Order })
}

// statement is a fact as the log would state it next.
func (s *search) statement(f clinical.Fact) Statement {
	return Statement{Fact: f, Order: math.MaxUint64, Recorded: s.now}
}

// holds says whether the rule is true with the fact, which is dated now, added. It is false, too, when
// there has been work enough.
func (s *search) holds(f clinical.Fact) bool {
	if s.entire {
		return s.holdsOf(append(slices.Clip(s.whole.history), s.statement(f)))
	}
	s.prepare(f.Stream)
	if s.work -= s.cost; s.work < 0 {
		return false
	}
	for _, spot := range s.spots {
		s.members[spot.input.ID] = spot.without
		if value, ok := s.alone(spot.input, f); ok {
			spot.with[spot.place] = member{Statement: s.statement(f), value: value}
			s.members[spot.input.ID] = spot.with
		}
	}
	holds := s.truth() == rules.True
	for _, spot := range s.spots {
		s.members[spot.input.ID] = spot.without
	}
	return holds
}

// holdsOf says whether the rule is true of a history. It is false, too, when there has been work enough.
func (s *search) holdsOf(h History) bool {
	for _, in := range s.inputs() {
		s.work -= len(h) * len(s.rests[in.ID])
	}
	return s.work >= 0 && s.Reference.Truth(s.rule, h, s.now) == rules.True
}

// would says whether the fact, stated now, would belong to the input, and its value there.
func (s *search) would(in *rules.Input, f clinical.Fact) (rules.Value, bool) {
	return s.whole.belongs(in, s.statement(f))
}

func (s *search) truth() rules.Truth {
	return truth(s.rule.When, scope{term: func(t *rules.Term) rules.Value {
		if v, ok := s.known[t]; ok {
			return v
		}
		return s.term(t, s.now)
	}})
}

// prepare makes room for facts of a stream.
func (s *search) prepare(stream clinical.Stream) {
	key := stream.Key()
	if s.stream == key {
		return
	}
	s.stream, s.spots, s.known, s.cost = key, nil, map[*rules.Term]rules.Value{}, 20*len(s.terms)
	for _, in := range s.every() {
		if !takes(in, stream) {
			continue
		}
		without := s.members[in.ID]
		place := since(without, s.now+1)
		s.spots = append(s.spots, spot{input: in, without: without, place: place,
			with: slices.Insert(slices.Clone(without), place, member{})})
	}
	for _, t := range s.terms {
		if slices.ContainsFunc(s.spots, func(x spot) bool { return x.input.ID == t.Input }) {
			s.cost += 2 * len(s.members[t.Input])
		} else {
			s.known[t] = s.term(t, s.now)
		}
	}
}

// inputs is every input that the rule asks, but for the patient's own person, each once.
func (s *search) inputs() []*rules.Input {
	var inputs []*rules.Input
	for _, t := range s.terms {
		if in := s.program.Inputs[t.Input]; in.Kind != clinical.KindPatient && !slices.Contains(inputs, in) {
			inputs = append(inputs, in)
		}
	}
	return inputs
}

// numbers is, for each of the inputs that has numbers, the one nearest to the present that makes the rule true.
func (s *search) numbers(inputs []*rules.Input) []remedy {
	var found []remedy
	for _, in := range inputs {
		if s.numeric(in) {
			if x, ok := s.number(in); ok {
				found = append(found, x)
			}
		}
	}
	return found
}

// numeric says whether it may matter to the rule which number a fact of the input states.
func (s *search) numeric(in *rules.Input) bool {
	if in.Type != clinical.Number {
		return false
	}
	stream := s.pattern(in).Stream
	for _, other := range s.every() {
		if other.Type == clinical.Number && takes(other, stream) && asksFor(other.Where, "value") {
			return true
		}
	}
	return slices.ContainsFunc(slices.Concat(s.terms, s.within), func(t *rules.Term) bool {
		switch t.Op {
		case rules.Last, rules.First, rules.Min, rules.Max, rules.Sum, rules.Mean, rules.Delta,
			rules.Median, rules.StdDev, rules.Rise, rules.Fall, rules.Slope, rules.EWMA, rules.DurationAbove, rules.DurationBelow,
			rules.Nth, rules.Distinct:
			return takes(s.program.Inputs[t.Input], stream)
		}
		return false
	})
}

// others is a fact added to each of the inputs, where its number does not matter or it has none.
func (s *search) others(inputs []*rules.Input) []remedy {
	var found []remedy
	for _, in := range inputs {
		if s.numeric(in) {
			continue
		}
		for _, f := range s.variants(in) {
			value, ok := s.would(in, f)
			if !ok || !s.holds(f) {
				continue
			}
			x := remedy{Kind: record.Add, Input: in, added: f}
			if in.Type != clinical.Number {
				x.Value = value
			}
			x.Text = x.worded()
			found = append(found, x)
			break
		}
	}
	return found
}

// worded says what is added, whatever number it may state: "a dialysis now", "nsaid from now on".
func (x *remedy) worded() string {
	text := one(x.Input)
	if lasting(x.Input.Kind) {
		text = called(x.Input)
	}
	switch x.Value.Kind {
	case rules.Text:
		text += " of '" + x.Value.Str + "'"
	case rules.Boolean:
		text += " that is " + x.Value.String()
	}
	if lasting(x.Input.Kind) {
		return text + " from now on"
	}
	return text + " now"
}
