package equivalence

import (
	"fmt"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// declared is what a drawn pack declares besides inputs: constants, parameters, tables and scores.
type declared struct {
	text   string
	scores []string // by name
	rules  int      // how many rules there are to refer to
}

// constants is what every drawn pack declares: a number, texts, windows, and parameters for a site to set.
const constants = `constants: {limit: 1.5, sexes: [male, other], days: 3d, offset: 2mo..1d, certain: true}
parameters:
  threshold: {default: 1.2, min: 0, max: 3}
  span: {default: 1d, min: 1h, max: 1y}
  strict: {default: true}
`

// site is what a site sets of the parameters; "" when it sets none.
func (d drawer) site() string {
	var set []string
	for _, choice := range []string{pick(d, "", "threshold: 0.9", "threshold: 2", "threshold: 1.2"),
		pick(d, "", "span: 6h", "span: 1mo"), pick(d, "", "strict: false")} {
		if choice != "" {
			set = append(set, choice)
		}
	}
	if len(set) == 0 {
		return ""
	}
	return "case: {" + strings.Join(set, ", ") + "}\n"
}

// declare draws a table and up to two scores, of which the second may ask the first.
func (d *drawer) declare(inputs string) {
	d.declared = &declared{text: constants}
	d.declared.text += "tables:\n  factor:\n    columns: [age, sex, k]\n    rows: [" + pick(*d,
		"[..19, male, 0.7], [20.., male, 0.9], [any, female, 1.5]", "[18..<21, male, 2]", "[..20, any, 1], [21.., female, 2]") + "]\n" +
		pick(*d, "", "    else: 1.2\n") +
		"  by_value: {columns: [value, answer], rows: [" + pick(*d, "[..0.9, low], [1.0..1.4, mid], [1.5.., high]", "[1..<1.5, mid]", "[1.2, mid], [2, high]") + "]}\n"
	for i := range d.IntN(3) {
		name := fmt.Sprintf("score%d", i)
		text, begin := d.declared.text, "  "
		if i == 0 {
			begin = "scores:\n  "
		}
		text += begin + name + ":\n"
		for n := 1 + d.IntN(4); n > 0; {
			item := "  - " + d.item() + "\n"
			if c := (Case{Sections: text + item}); c.compiles(inputs, []string{"true"}) {
				text += item
				n--
			}
		}
		d.declared.text = text
		d.declared.scores = append(d.declared.scores, name)
	}
}

// item draws an item of a score.
func (d drawer) item() string {
	unknown := ""
	if d.IntN(3) == 0 {
		unknown = fmt.Sprintf(", unknown: %v", pick[any](d, 0, 1, "limit", "threshold"))
	}
	if d.IntN(2) == 0 {
		return fmt.Sprintf("{when: %q, points: %v%s}", d.boolean(1), pick[any](d, 1, 1, 2, 3, -1, 0.5, "limit", "threshold"), unknown)
	}
	bands := pick(d, "[[..0.9, 3], [1.0..1.2, 1], [1.3..1.9, 0], [2.0.., 2]]", "[[..1, 2], [2.., 0]]", "[[..<1.5, 1], [1.5..<2, limit], [2.., 3]]", "[[..-1, 2], [0..1, -1], [2..2, 2], [3.., 1]]")
	when := ""
	if d.IntN(3) == 0 {
		when = fmt.Sprintf("when: %q, ", d.boolean(1))
	}
	return fmt.Sprintf("{%sterm: %q, bands: %s%s}", when, d.numeric(1), bands, unknown)
}

// compiles reports whether the language admits the conditions over these inputs, under what the pack declares.
func (c *Case) compiles(inputs string, conditions []string) bool {
	_, err := rules.Compile(c.files(inputs, conditions, ""), rules.CompileOptions{})
	return err == nil
}

// files is the set of a pack with the conditions, and of what the site sets.
func (c *Case) files(inputs string, conditions []string, site string) []clinical.File {
	files := []clinical.File{{Name: "case.yaml", Data: c.pack(inputs, conditions)}}
	if site != "" {
		files = append(files, clinical.File{Name: rules.ParametersFile, Data: []byte(site)})
	}
	return files
}

// namedNumber draws a number by the name that the pack gives it.
func (d drawer) namedNumber() string {
	named := []string{"limit", "threshold", "table('factor', patient.age, patient.sex)", "table('factor', crea.last('3d'), patient.sex)"}
	for _, score := range d.declared.scores {
		named = append(named, score, score, "("+score+" ?? 1)")
	}
	return pick(d, named...)
}

// namedBoolean draws a condition that refers to what the pack names.
func (d drawer) namedBoolean() string {
	compare := pick(d, "<", "<=", ">", ">=", "==", "!=")
	choices := []string{"strict", "patient.sex in sexes", "crea.last(span) " + compare + " threshold", "crea.count(days) " + compare + " limit",
		"temp.exists(offset)", "not certain", "table('by_value', " + d.numeric(0) + ") == '" + pick(d, "low", "mid", "high") + "'"}
	for _, score := range d.declared.scores {
		for range 3 {
			choices = append(choices, fmt.Sprintf("%s %s %v", score, compare, pick(d, -1, 0, 1, 1.5, 2, 3, 4)))
		}
		choices = append(choices, score+" "+compare+" "+d.numeric(0), d.numeric(0)+" "+compare+" "+score,
			score+" "+compare+" "+pick(d, d.declared.scores...), score+" + 1 "+compare+" 3")
	}
	if d.declared.rules > 0 {
		for range 4 {
			choices = append(choices, fmt.Sprintf("rule('r%02d')", d.IntN(d.declared.rules)))
		}
	}
	return pick(d, choices...)
}
