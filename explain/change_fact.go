package explain

import (
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// pattern is what a new fact of the input, dated now, looks like: like the last of them, or else like the
// last fact with one of its codes, or else with the first of its codes and whatever `where` asks for.
func (s *search) pattern(in *rules.Input) clinical.Fact {
	f := clinical.Fact{Stream: clinical.NewStream(in.Kind), Detail: &clinical.Detail{Type: in.Type, Unit: in.Unit}}
	if in.Type == clinical.Number && in.Unit == "" {
		f.Detail.Type = clinical.NoValue
	}
	if last := s.last(in); last != nil {
		f = *last
	} else if len(in.Codes) > 0 {
		f.Stream = clinical.NewStream(in.Kind, firstOf(in.Codes))
	}
	d := *detailOf(f)
	d.Precision, d.Comparator, d.Unnamed = clinical.ToMillisecond, clinical.Exactly, false
	d.Attributes = slices.DeleteFunc(slices.Clone(d.Attributes), func(a clinical.Attribute) bool {
		return a.Name == clinical.AttrNegated && !s.asks[in.ID].negated
	})
	if _, ok := s.valueIn(in, f, &d); !ok {
		d.Unit = in.Unit
	}
	f.Detail = &d
	f.Time, f.End = s.now, s.now
	if lasting(in.Kind) {
		f.End = clinical.Forever
	}
	if _, ok := s.alone(in, f); !ok {
		for _, condition := range in.Where {
			grant(&d, condition, true)
		}
	}
	return f
}

// last is the last fact up to now with one of the input's codes, of the input's own if there are any.
func (s *search) last(in *rules.Input) *clinical.Fact {
	if facts := s.whole.input(in.ID); since(facts, s.now+1) > 0 {
		return &facts[since(facts, s.now+1)-1].Fact
	}
	var last *Statement
	for i := range s.whole.history {
		x := &s.whole.history[i]
		if x.Fact.Time > s.now || !takes(in, x.Fact.Stream) || detailOf(x.Fact).Type != in.Type {
			continue
		}
		if last == nil || inOrderOfTime(member{Statement: *last}, member{Statement: *x}) < 0 {
			last = x
		}
	}
	if last == nil {
		return nil
	}
	return &last.Fact
}

// lasting says whether facts of the kind go on until they are said to have ended.
func lasting(k clinical.Kind) bool {
	switch k {
	case clinical.KindCondition, clinical.KindMedication, clinical.KindEncounter, clinical.KindAllergy,
		clinical.KindOrder, clinical.KindCarePlan, clinical.KindDevice:
		return true
	}
	return false
}

func firstOf(codes map[clinical.Code]struct{}) clinical.Code {
	var first clinical.Code
	for c := range codes {
		if first == "" || c < first {
			first = c
		}
	}
	return first
}

// present is the number that a fact of the input stated last, or else the last fact with one of its codes.
func (s *search) present(in *rules.Input) (float64, bool) {
	facts := s.whole.input(in.ID)
	facts = facts[:since(facts, s.now+1)]
	if i := lastIndex(facts, func(m member) bool { return m.value.Kind == rules.Number }); i >= 0 {
		return facts[i].value.Num, true
	}
	last := s.last(in)
	if last == nil {
		return 0, false
	}
	v, ok := s.valueIn(in, *last, detailOf(*last))
	return v.Num, ok && v.Kind == rules.Number
}

// stating is the pattern with a number, given in the input's unit.
func (s *search) stating(in *rules.Input, pattern clinical.Fact, x float64) clinical.Fact {
	d := *pattern.Detail
	if d.Type != clinical.Number {
		d.Type, d.Unit = clinical.Number, in.Unit
	}
	pattern.Number = x
	if in.Unit != "" {
		back := s.conversion(in.Unit, d.Unit, in.Substance)
		if d.Unit == "" || !back.ok {
			d.Unit = in.Unit
		} else {
			pattern.Number = back.Apply(x)
		}
	}
	pattern.Detail = &d
	return pattern
}

// variants is the facts to try for an input that is not asked for numbers: one, or one for each value that
// the rule or the input's `where` speaks of.
func (s *search) variants(in *rules.Input) []clinical.Fact {
	pattern := s.pattern(in)
	with := func(change func(f *clinical.Fact, d *clinical.Detail)) clinical.Fact {
		f, d := pattern, *pattern.Detail
		f.Detail = &d
		d.Type = in.Type
		change(&f, &d)
		return f
	}
	switch in.Type {
	case clinical.Boolean:
		return []clinical.Fact{
			with(func(f *clinical.Fact, _ *clinical.Detail) { f.Number = 1 }),
			with(func(f *clinical.Fact, _ *clinical.Detail) { f.Number = 0 }),
		}
	case clinical.Coded, clinical.Text:
		var variants []clinical.Fact
		for _, text := range s.texts(in) {
			variants = append(variants, with(func(_ *clinical.Fact, d *clinical.Detail) {
				d.Codes, d.Text = nil, ""
				if in.Type == clinical.Text {
					d.Text = text
				} else {
					d.Codes = []clinical.Code{clinical.Code(text)}
				}
			}))
		}
		return append(variants, pattern)
	}
	return []clinical.Fact{pattern}
}

// texts is every text that the rule's condition, the derived inputs' and the input's `where` speak of, each once.
func (s *search) texts(in *rules.Input) []string {
	var texts []string
	note := func(v rules.Value) {
		if v.Kind == rules.Text && !slices.Contains(texts, v.Str) {
			texts = append(texts, v.Str)
		}
	}
	for _, e := range append(s.conditions(), in.Where...) {
		walk(e, func(e rules.Expr) {
			switch e := e.(type) {
			case *rules.Literal:
				note(e.Value)
			case *rules.In:
				for i, v := range choices(e) {
					if i < mostCritical {
						note(v)
					}
				}
			}
		})
	}
	return texts
}

// grant gives a fact the attributes that a condition of `where` asks for, as far as it says which. Whether
// the condition is then as wanted has still to be seen.
func grant(d *clinical.Detail, e rules.Expr, wanted bool) {
	switch e := e.(type) {
	case *rules.Unary:
		if e.Op == "not" {
			grant(d, e.X, !wanted)
		}
	case *rules.Combination:
		for _, kid := range e.Kids {
			grant(d, kid, wanted == (e.Op != "none"))
		}
	case *rules.In:
		if a, ok := coded(e.X); ok {
			setCode(d, a.Name, choices(e), wanted)
		}
	case *rules.Has:
		if !wanted { // what it would be if it were there, it does not say
			d.Attributes = slices.DeleteFunc(d.Attributes, func(x clinical.Attribute) bool { return x.Name == e.X.Name })
		}
	case *rules.Binary:
		x, y := e.X, e.Y
		if _, ok := x.(*rules.Literal); ok && e.Op != "and" && e.Op != "or" {
			x, y = y, x
		}
		a, named := x.(*rules.AttributeRef)
		l, constant := y.(*rules.Literal)
		switch {
		case e.Op == "and" || e.Op == "or":
			grant(d, e.X, wanted)
			grant(d, e.Y, wanted)
		case !named || !constant:
		case a.Coded:
			setCode(d, a.Name, []rules.Value{l.Value}, wanted == (e.Op == "=="))
		case l.Value.Kind == rules.Number && inDetail(a.Name):
			setNumber(d, a, e, l.Value.Num, wanted)
		}
	}
}

// choices are what a coded property may be for the condition to hold: the texts, or the members of the set.
func choices(e *rules.In) []rules.Value {
	if e.Set == nil {
		return e.List
	}
	texts := make([]rules.Value, len(e.Set.Codes))
	for i, c := range e.Set.Codes {
		texts[i] = rules.TextOf(string(c))
	}
	return texts
}

// inDetail says whether a property is an attribute of the fact's Detail, and so can be given to it.
func inDetail(name string) bool {
	switch name {
	case "value", "code", "unit", "start", "end", "authored", "length", "lag":
		return false
	}
	return true
}

// setCode makes an attribute the first of the texts, or some usual word that is none of them.
func setCode(d *clinical.Detail, name string, texts []rules.Value, is bool) {
	if !inDetail(name) {
		return
	}
	word := ""
	if is {
		word = texts[0].Str
	} else {
		for _, word = range []string{"active", "completed", "final", "confirmed"} {
			if !slices.ContainsFunc(texts, func(v rules.Value) bool { return clinical.Code(word).Is(v.Str) }) {
				break
			}
		}
	}
	set(d, clinical.Attribute{Name: name, Codes: []clinical.Code{clinical.Code(word)}})
}

// setNumber makes an attribute the number that a comparison names, or one to either side of it.
func setNumber(d *clinical.Detail, a *rules.AttributeRef, e *rules.Binary, x float64, wanted bool) {
	for _, number := range []float64{x, x + 1, x - 1} {
		trial := scope{attribute: func(*rules.AttributeRef) property { return property{value: rules.NumberOf(number)} }}
		if truth := evaluate(e, trial).Truth(); truth == rules.True == wanted {
			set(d, clinical.Attribute{Name: a.Name, Number: number, Numeric: true})
			if a.Unit != "" {
				set(d, clinical.Attribute{Name: a.Name + "_unit", Codes: []clinical.Code{clinical.Code(a.Unit)}})
			}
			return
		}
	}
}

// set gives a fact an attribute, in the place of one of the same name.
func set(d *clinical.Detail, a clinical.Attribute) {
	i, found := slices.BinarySearchFunc(d.Attributes, a.Name, func(x clinical.Attribute, name string) int {
		return strings.Compare(x.Name, name)
	})
	if found {
		d.Attributes[i] = a
	} else {
		d.Attributes = slices.Insert(d.Attributes, i, a)
	}
}
