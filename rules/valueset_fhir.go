package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// expandHint is what to do about a value set that only a terminology server can work out.
const expandHint = "have a terminology server expand it ($expand) and use the expansion"

// fhirValueSet is a ValueSet resource as written, and the value set that became of it. Offsets are those of
// its file.
type fhirValueSet struct {
	file    *jsonFile
	at      int
	id      string
	name    string
	title   string
	url     string
	version string

	broken           bool // it has faults as it stands
	expansion        *fhirExpansion
	include, exclude []fhirInclude

	state     resolution
	held      []heldFault // what stands in the way of using it; reported once it is used
	demanded  bool        // it is used
	set       *ValueSet   // nil when it has faults
	duplicate bool        // another has its url, its version and its codes
}

// heldFault is a fault at an offset of the file.
type heldFault struct {
	at            int
	problem, hint string
}

func (s *fhirValueSet) hold(at int, problem, hint string) {
	s.held = append(s.held, heldFault{at, problem, hint})
}

// label is what a person calls it.
func (s *fhirValueSet) label() string {
	for _, name := range []string{s.name, s.id, s.title, s.url} {
		if name != "" {
			return name
		}
	}
	return "without a name"
}

// canonical is its url with its version.
func (s *fhirValueSet) canonical() string {
	if s.url == "" || s.version == "" {
		return s.url
	}
	return s.url + "|" + s.version
}

// fhirExpansion is the list of codes that a terminology server made of a value set.
type fhirExpansion struct {
	at      int
	codes   []clinical.Code
	entries int // with those that only group others
	total   int
	partial string // why it does not hold all codes; "" when it does
}

// fhirInclude is one include, or exclude, of a compose: what has the system, is among the concepts (where
// there are any) and belongs to each of the value sets.
type fhirInclude struct {
	at        int
	system    string
	codes     []string
	concepts  bool // codes are listed
	filter    int  // where one stands; -1: there is none
	valueSets []fhirReference
}

// fhirReference is a canonical: the url of a value set, perhaps with |version.
type fhirReference struct {
	at   int
	text string
}

// readValueSets reads the value sets of one file: a ValueSet, or a Bundle of them.
func readValueSets(name string, data []byte, r *report) []*fhirValueSet {
	if len(data) > MaxValueSet {
		r.add(position{name, 1, 1}, fmt.Sprintf("the file is larger than %d MB", MaxValueSet>>20), "split it")
		return nil
	}
	j, ok := openJSON(name, data, r)
	if !ok {
		return nil
	}
	switch kind := j.resourceType(); kind {
	case "ValueSet":
		return []*fhirValueSet{j.valueSet()}
	case "Bundle":
		return j.bundle()
	default:
		j.fault(j.report, j.next(), fmt.Sprintf("the resource is %q, not a ValueSet", kind), "a JSON file of a rule set is a FHIR ValueSet or a Bundle of them")
	}
	return nil
}

// bundleTypes are the types of Bundle that are plain collections of resources.
var bundleTypes = []string{"collection", "transaction", "batch", "searchset"}

func (j *jsonReader) bundle() []*fhirValueSet {
	var sets []*fhirValueSet
	n := 0
	entry := func() {
		n++
		at, there := j.next(), false
		j.object("an entry", map[string]func(){"resource": func() {
			there = true
			at := j.next()
			switch kind := j.resourceType(); kind {
			case "ValueSet":
				sets = append(sets, j.valueSet())
			case "OperationOutcome", // what a server remarks on a search
				"Measure", "Library", "CodeSystem": // what a measure is published with
				j.skip()
			default:
				j.fault(j.report, at, fmt.Sprintf("entry %d of the Bundle is %q, not a ValueSet", n, kind), "take it out of the rule set's file")
				j.skip()
			}
		}})
		if !there {
			j.fault(j.report, at, fmt.Sprintf("entry %d of the Bundle has no resource", n), "take it out of the rule set's file")
		}
	}
	j.object("a Bundle", map[string]func(){
		"type": func() {
			at := j.next()
			if kind := j.text("the type of a Bundle"); !slices.Contains(bundleTypes, kind) {
				j.fault(j.report, at, fmt.Sprintf("a Bundle of type %q is no collection of value sets", kind), didYouMeanOr(kind, bundleTypes, "use one of type"))
			}
		},
		"link": func() {
			j.list("the links of a Bundle", func() {
				at := j.next()
				j.object("a link", map[string]func(){"relation": func() {
					if j.text("a link's relation") == "next" {
						j.fault(j.report, at, "the Bundle is only a page of what was searched for", "fetch the following pages and add them")
					}
				}})
			})
		},
		"entry": func() { j.list("the entries of a Bundle", entry) },
	})
	return sets
}

func (j *jsonReader) valueSet() *fhirValueSet {
	s, before := &fhirValueSet{file: j.jsonFile, at: j.next()}, j.faults
	read := func(into *string, what string) func() {
		return func() { *into = strings.TrimSpace(j.text("the " + what + " of a ValueSet")) }
	}
	j.object("a ValueSet", map[string]func(){
		"id": read(&s.id, "id"), "name": read(&s.name, "name"), "title": read(&s.title, "title"), "url": read(&s.url, "url"), "version": read(&s.version, "version"),
		"compose": func() {
			j.object("compose", map[string]func(){
				"include": func() { s.include = j.includes("include") },
				"exclude": func() { s.exclude = j.includes("exclude") },
				"import": func() {
					j.fault(j.report, j.next(), "compose.import is of FHIR DSTU2", "write it as an include with valueSet")
					j.skip()
				},
			})
		},
		"expansion": func() { s.expansion = j.expansion() },
	})
	s.broken = j.faults > before
	return s
}

func (j *jsonReader) includes(what string) []fhirInclude {
	var out []fhirInclude
	j.list(what, func() {
		in := fhirInclude{at: j.next(), filter: -1}
		j.object("an "+what, map[string]func(){
			"system": func() { in.system = strings.TrimSpace(j.text("a system")) },
			"concept": func() {
				in.concepts = true
				j.list("concept", func() {
					at, code := j.next(), ""
					j.object("a concept", map[string]func(){"code": func() { code = strings.TrimSpace(j.text("a code")) }})
					if code == "" {
						j.fault(j.report, at, "a concept has no code", "")
					}
					in.codes = append(in.codes, code)
				})
			},
			"filter": func() {
				at, n := j.next(), 0
				j.list("filter", func() { n++; j.skip() })
				if n > 0 {
					in.filter = at
				}
			},
			"valueSet": func() {
				j.list("valueSet", func() {
					at := j.next()
					in.valueSets = append(in.valueSets, fhirReference{at, strings.TrimSpace(j.text("a value set's url"))})
				})
			},
		})
		out = append(out, in)
	})
	return out
}

// Extensions by which a server says that its expansion is not the whole value set.
const (
	extensionTooCostly = "http://hl7.org/fhir/StructureDefinition/valueset-toocostly"
	extensionUnclosed  = "http://hl7.org/fhir/StructureDefinition/valueset-unclosed"
)

func (j *jsonReader) expansion() *fhirExpansion {
	x := &fhirExpansion{at: j.next()}
	partly := func(why string, so bool) {
		if so && x.partial == "" {
			x.partial = why
		}
	}
	count := -1
	j.object("expansion", map[string]func(){
		"total":    func() { x.total = j.whole("the expansion's total") },
		"offset":   func() { partly("a page of its expansion", j.whole("the expansion's offset") > 0) },
		"next":     func() { partly("a page of its expansion", j.text("the expansion's next") != "") },
		"contains": func() { j.contains(x, 0) },
		"extension": func() {
			j.list("extension", func() {
				url, is := "", true
				j.object("an extension", map[string]func(){
					"url":          func() { url = j.text("an extension's url") },
					"valueBoolean": func() { is = j.boolean("valueBoolean") },
				})
				partly("a part of its expansion, which was too large for the server", url == extensionTooCostly && is)
				partly("a part of its expansion, which has no end", url == extensionUnclosed && is)
			})
		},
		"parameter": func() {
			j.list("parameter", func() {
				name, words, number, is := "", "", 0, false
				j.object("a parameter", map[string]func(){
					"name":         func() { name = j.text("a parameter's name") },
					"valueString":  func() { words = j.text("valueString") },
					"valueInteger": func() { number = j.whole("valueInteger") },
					"valueBoolean": func() { is = j.boolean("valueBoolean") },
				})
				partly("a part of its expansion, which the server limited", name == "limitedExpansion" && is)
				partly("what of its expansion matched a text", name == "filter" && words != "")
				partly("a page of its expansion", name == "offset" && number > 0)
				if name == "count" {
					count = number
				}
			})
		},
	})
	partly("a page of its expansion", x.total > x.entries || x.total == 0 && count == x.entries && count > 0)
	return x
}

// contains reads the codes of an expansion, with those that they contain.
func (j *jsonReader) contains(x *fhirExpansion, depth int) {
	if depth == maxValueSetNesting {
		j.fault(j.report, j.next(), fmt.Sprintf("codes contain codes more than %d deep", maxValueSetNesting), "expand it flat (excludeNested)")
		j.skip()
		return
	}
	j.list("contains", func() {
		x.entries++
		at, system, code, abstract := j.next(), "", "", false
		j.object("a code of the expansion", map[string]func(){
			"system":   func() { system = strings.TrimSpace(j.text("a system")) },
			"code":     func() { code = strings.TrimSpace(j.text("a code")) },
			"abstract": func() { abstract = j.boolean("abstract") },
			"contains": func() { j.contains(x, depth+1) },
		})
		switch {
		case abstract || code == "":
		case system == "":
			j.fault(j.report, at, fmt.Sprintf("the code %q does not say its system", code), "")
		default:
			x.codes = append(x.codes, clinical.NewCode(system, code))
		}
	})
}
