package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// valueSetLibrary works out the value sets of a rule set's files and finds them by what packs, and each
// other, call them.
type valueSetLibrary struct {
	report *report
	sets   []*fhirValueSet            // in the order of the files
	byName map[string][]*fhirValueSet // by name, id, url and url|version
	byURL  map[string][]*fhirValueSet // by url and url|version: what a canonical may say
	codes  int                        // in all
	limits valueSetLimits
}

// valueSetLimits is how many codes one value set, and all together, may hold.
type valueSetLimits struct{ one, all int }

// newValueSetLibrary works every value set out.
func newValueSetLibrary(sets []*fhirValueSet, limits valueSetLimits, r *report) *valueSetLibrary {
	l := &valueSetLibrary{report: r, limits: limits, sets: sets, byName: map[string][]*fhirValueSet{}, byURL: map[string][]*fhirValueSet{}}
	for _, s := range sets {
		l.list(s)
	}
	for _, s := range sets {
		if l.resolve(s); l.codes > limits.all {
			s.file.fault(r, s.at, fmt.Sprintf("the value sets of the rule set hold more than %d codes together", limits.all), "leave out those that no pack uses")
			return l
		}
	}
	l.unite()
	return l
}

// demand reports why a value set that is used cannot be, if it cannot: its own faults, and those of what it
// includes. A folder of published value sets is taken as it is, and may hold some that nothing here uses.
func (l *valueSetLibrary) demand(s *fhirValueSet) {
	if s.demanded {
		return
	}
	s.demanded = true
	for _, f := range s.held {
		s.file.fault(l.report, f.at, f.problem, f.hint)
	}
	for _, in := range slices.Concat(s.include, s.exclude) {
		for _, ref := range in.valueSets {
			for _, of := range l.byURL[ref.text] {
				l.demand(of)
			}
		}
	}
}

// list files the value set under its names.
func (l *valueSetLibrary) list(s *fhirValueSet) {
	urls := []string{s.url}
	if s.version != "" {
		urls = append(urls, s.canonical())
	}
	file := func(under map[string][]*fhirValueSet, names ...string) {
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if name != "" {
				under[name] = append(under[name], s)
			}
		}
	}
	file(l.byURL, slices.Clone(urls)...)
	file(l.byName, append(urls, s.name, s.id)...)
}

func (l *valueSetLibrary) names() []string {
	out := make([]string, 0, len(l.byName))
	for name := range l.byName {
		out = append(out, name)
	}
	return out
}

// candidates lists value sets so that one can be named: by url and version, or else by where it stands.
func candidates(found []*fhirValueSet) string {
	const most = 6
	var out []string
	for i, s := range found {
		if i == most {
			out = append(out, "…")
			break
		}
		text := fmt.Sprintf("%s:%d", s.file.name, s.file.line(s.at))
		if s.url != "" {
			text = fmt.Sprintf("%q (%s)", s.canonical(), text)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// unite makes one of value sets that are there more than once, as in the Bundles of two measures: alike in
// url, version and codes. What differs in its codes alone is a fault.
func (l *valueSetLibrary) unite() {
	first := map[string]*fhirValueSet{}
	for _, s := range l.sets {
		key := s.canonical()
		if key == "" || s.set == nil {
			continue
		}
		other := first[key]
		switch {
		case other == nil:
			first[key] = s
		case other.set.Digest == s.set.Digest:
			for _, by := range s.set.UsedBy {
				other.set.use(by)
			}
			l.codes -= len(s.set.Codes)
			s.duplicate, s.set = true, other.set
		default:
			s.hold(s.at, fmt.Sprintf("the value set %q is in the rule set twice, with different codes", key), fmt.Sprintf("keep one of the two, or give it a version of its own; the other is %s:%d", other.file.name, other.file.line(other.at)))
		}
	}
	for name, found := range l.byName {
		var once []*fhirValueSet
		for _, s := range found {
			if s.set == nil || !slices.ContainsFunc(once, func(o *fhirValueSet) bool { return o.set == s.set }) {
				once = append(once, s)
			}
		}
		l.byName[name] = once
	}
}

// resolve works one value set out, those that it includes first.
func (l *valueSetLibrary) resolve(s *fhirValueSet) {
	if s.state != untouched {
		return
	}
	s.state = underway
	defer func() { s.state = settled }()
	codes, ok := l.members(s)
	if !ok || s.broken {
		return
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	switch {
	case len(codes) == 0 && len(s.exclude) > 0 && s.expansion == nil:
		s.hold(s.at, fmt.Sprintf("the value set %q excludes all that it includes", s.label()), "")
		return
	case len(codes) == 0:
		s.hold(s.at, fmt.Sprintf("the value set %q holds no codes", s.label()), expandHint)
		return
	case len(codes) > l.limits.one:
		s.hold(s.at, fmt.Sprintf("the value set %q holds %d codes, more than %d", s.label(), len(codes), l.limits.one), "narrow it, or take its place with `any` and a `where`")
		return
	}
	l.codes += len(codes)
	set := &ValueSet{Name: s.label(), URL: s.url, Version: s.version, Codes: codes, File: s.file.name, Line: s.file.line(s.at)}
	s.set = set.settle()
	for _, in := range append(slices.Clone(s.include), s.exclude...) {
		for _, ref := range in.valueSets {
			if of := l.byURL[ref.text]; len(of) > 0 && of[0].set != nil {
				of[0].set.use(s.label())
			}
		}
	}
}

// members are the codes of the value set: its expansion, or what its compose works out to. They are false
// after a fault, and where a value set that it includes has one.
func (l *valueSetLibrary) members(s *fhirValueSet) ([]clinical.Code, bool) {
	if x := s.expansion; x != nil {
		if x.partial == "" {
			return x.codes, true
		}
		of := ""
		if x.total > 0 {
			of = fmt.Sprintf(" (%d of %d)", x.entries, x.total)
		}
		s.hold(x.at, fmt.Sprintf("the value set %q holds only %s%s", s.label(), x.partial, of), "expand it whole")
		return nil, false
	}
	whole := true
	var out []clinical.Code
	for i := range s.include {
		part, ok := l.part(s, &s.include[i], "include")
		if ok {
			out = append(out, part.enumerate()...)
		}
		if len(out) > 2*l.limits.one {
			slices.Sort(out)
			out = slices.Compact(out)
		}
		whole = whole && ok
	}
	for i := range s.exclude {
		part, ok := l.part(s, &s.exclude[i], "exclude")
		if ok {
			out = slices.DeleteFunc(out, part.has)
		}
		whole = whole && ok
	}
	return out, whole
}

// part is what one include, or exclude, speaks of: the intersection of all that it says.
type part struct {
	system string          // "" is any
	codes  []clinical.Code // ascending; nil is any
	sets   [][]clinical.Code
}

func (p part) has(c clinical.Code) bool {
	if p.system != "" && c.System() != p.system {
		return false
	}
	if _, found := slices.BinarySearch(p.codes, c); p.codes != nil && !found {
		return false
	}
	return !slices.ContainsFunc(p.sets, func(set []clinical.Code) bool {
		_, found := slices.BinarySearch(set, c)
		return !found
	})
}

// enumerate lists the codes of a part that lists any.
func (p part) enumerate() []clinical.Code {
	from := p.codes
	if from == nil && len(p.sets) > 0 {
		from = p.sets[0]
	}
	return slices.DeleteFunc(slices.Clone(from), func(c clinical.Code) bool { return !p.has(c) })
}

// part reads one include or exclude; false after a fault.
func (l *valueSetLibrary) part(s *fhirValueSet, in *fhirInclude, what string) (part, bool) {
	refuse := func(at int, problem, hint string) (part, bool) {
		s.hold(at, fmt.Sprintf("the value set %q %s", s.label(), problem), hint)
		return part{}, false
	}
	switch {
	case in.filter >= 0:
		return refuse(in.filter, "has a filter, which takes the whole code system to work out", expandHint)
	case in.concepts && in.system == "":
		return refuse(in.at, "lists concepts without their system", "")
	case in.system == "" && len(in.valueSets) == 0:
		return refuse(in.at, fmt.Sprintf("has an %s of neither a system nor a value set", what), "")
	case what == "include" && !in.concepts && len(in.valueSets) == 0:
		return refuse(in.at, fmt.Sprintf("takes the whole of %q", in.system), expandHint)
	}
	var out part
	if in.system != "" {
		out.system = clinical.NewCode(in.system, "").System()
	}
	if in.concepts {
		out.codes = make([]clinical.Code, len(in.codes))
		for i, code := range in.codes {
			out.codes[i] = clinical.NewCode(in.system, code)
		}
		slices.Sort(out.codes)
	}
	whole := true
	for _, ref := range in.valueSets {
		set, ok := l.refer(s, ref)
		out.sets, whole = append(out.sets, set), whole && ok
	}
	return out, whole
}

// refer finds the codes of a value set that another refers to; false after a fault, of either.
func (l *valueSetLibrary) refer(s *fhirValueSet, ref fhirReference) ([]clinical.Code, bool) {
	found := l.byURL[ref.text]
	switch {
	case len(found) == 0:
		urls := make([]string, 0, len(l.byURL))
		for url := range l.byURL {
			urls = append(urls, url)
		}
		hint := "add its FHIR file to the set, or " + expandHint
		if near := nearURL(ref.text, urls); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		s.hold(ref.at, fmt.Sprintf("the value set %q includes %q, which is not in the rule set", s.label(), ref.text), hint)
		return nil, false
	case len(found) > 1 && !l.alike(found):
		s.hold(ref.at, fmt.Sprintf("the value set %q includes %q, of which the rule set has %d", s.label(), ref.text, len(found)), "say which: "+candidates(found))
		return nil, false
	case found[0].state == underway:
		s.hold(ref.at, fmt.Sprintf("the value set %q is made from itself: it includes %q", s.label(), ref.text), "break the circle")
		return nil, false
	}
	if l.resolve(found[0]); found[0].set == nil {
		return nil, false
	}
	return found[0].set.Codes, true
}

// nearURL is the url nearest to the one given. The urls of one author differ little and are long, so that
// only a slip or two in one is taken for it.
func nearURL(url string, urls []string) string {
	if near := nearest(url, urls); near != "" && edits(strings.ToLower(url), strings.ToLower(near)) <= 3 {
		return near
	}
	return ""
}

// alike says that value sets are one: of one version, with the same codes.
func (l *valueSetLibrary) alike(found []*fhirValueSet) bool {
	for _, s := range found {
		if s.state == underway || s.version != found[0].version {
			return false
		}
		l.resolve(s)
		if s.set == nil || s.set.Digest != found[0].set.Digest {
			return false
		}
	}
	return true
}
