// Package volume writes rule sets of any size, as varied as those that people write: several packs, of which
// some inputs and questions are shared and most are not.
package volume

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

const (
	rulesPerPack  = 250
	inputsPerPack = 40
)

// common are inputs that every pack declares, and declares alike.
var common = []string{
	`creatinine: {observation: ["loinc|2160-0", "loinc|38483-4"], unit: mg/dL}`,
	`potassium: {observation: ["loinc|2823-3", "loinc|6298-4"], unit: mmol/L}`,
	`heart_rate: {observation: ["loinc|8867-4"], unit: /min}`,
	`dialysis: {procedure: ["snomed|302497006", "snomed|265764009"]}`,
	`inpatient: {encounter: any, where: "class in ['IMP', 'ACUTE']"}`,
}

// Packs writes a set of n rules, the same for the same n.
func Packs(n int) []clinical.File {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	var files []clinical.File
	for n > 0 {
		rules := min(n, rulesPerPack)
		n -= rules
		p := writer{random: random, pack: len(files)}
		p.write(rules)
		files = append(files, clinical.File{Name: fmt.Sprintf("p%03d.yaml", p.pack), Data: []byte(p.b.String())})
	}
	return files
}

// writer writes one pack.
type writer struct {
	b      strings.Builder
	random *rand.Rand
	pack   int
	marks  []string // inputs with a number
	drugs  []string
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

func (w *writer) write(rules int) {
	w.line("pack: p%d", w.pack)
	w.line("valuesets:\n  drugs-%d: [%s]", w.pack, w.list(30, func(i int) string { return fmt.Sprintf(`"rxnorm|%d"`, 1000*w.pack+i) }))
	w.line("inputs:")
	for _, in := range common {
		w.line("  %s", in)
	}
	w.marks = []string{"creatinine", "potassium", "heart_rate"}
	for i := range inputsPerPack {
		name := fmt.Sprintf("mark_%d_%d", w.pack, i)
		switch i % 8 {
		case 6:
			w.line("  high_%d_%d: {from: %s, where: value > %d}", w.pack, i, w.marks[len(w.marks)-1], i)
			w.marks = append(w.marks, fmt.Sprintf("high_%d_%d", w.pack, i))
		case 7:
			w.line("  stay_%d_%d: {from: %s, where: \"value > %d and creatinine.exists('24h')\", during: inpatient}", w.pack, i, w.marks[len(w.marks)-2], i)
			w.marks = append(w.marks, fmt.Sprintf("stay_%d_%d", w.pack, i))
		case 5:
			w.line("  drug_%d_%d: {medication: {valueset: drugs-%d}, where: status == 'active'}", w.pack, i, w.pack)
			w.drugs = append(w.drugs, fmt.Sprintf("drug_%d_%d", w.pack, i))
		default: // neighbouring packs speak of the same codes
			code := 10*(w.pack-w.pack%2) + i
			w.line("  %s: {observation: [\"loinc|%d-1\", \"local|%d\"], unit: mg/dL}", name, code, code)
			w.marks = append(w.marks, name)
		}
	}
	w.line("rules:")
	for i := range rules {
		w.rule(i)
	}
}

func (w *writer) rule(i int) {
	mark := w.mark()
	w.line("  - id: p%d-%d\n    version: %d\n    title: Rule %d of pack %d about %s\n    severity: %s\n    source: Written to be counted, section %d",
		w.pack, i, i%3+1, i, w.pack, mark, []string{"info", "warning", "critical"}[i%3], i)
	switch i % 5 {
	case 0:
		w.line("    when: %s and not dialysis.exists('90d')", w.condition())
	case 1:
		w.line("    when:\n      all:\n        - %s\n        - any:\n            - %s\n            - %s\n        - none:\n            - %s", w.condition(), w.condition(), w.condition(), w.condition())
	case 2:
		w.line("    when:\n      at_least:\n        n: 2\n        of:\n          - %s\n          - %s\n          - %s", w.condition(), w.condition(), w.condition())
	case 3:
		w.line("    when: \"%s.active() and (%s or %s)\"", w.drug(), w.condition(), w.condition())
	case 4:
		w.line("    score:\n      - {when: \"%s\", points: 2}\n      - {when: \"%s\", points: 1}\n      - {term: \"%s.last('24h')\", bands: [[..8, 3], [9..11, 1], [12..20, 0], [21..24, 2], [25.., 3]]}\n    when: score >= %d",
			w.standing(), w.standing(), w.mark(), i%4+2)
	}
	w.line("    message: >-\n      Now {{ %s.last('7d') }}, least of the week {{ %s.min('7d') }}.", mark, mark)
}

func (w *writer) mark() string { return w.marks[w.random.IntN(len(w.marks))] }
func (w *writer) drug() string { return w.drugs[w.random.IntN(len(w.drugs))] }

// condition is one of those that people write, or elapsed time.
func (w *writer) condition() string {
	if w.random.IntN(9) == 0 {
		return fmt.Sprintf("%s.hours_since() > %d", w.mark(), w.random.IntN(200))
	}
	return w.standing()
}

func (w *writer) standing() string {
	x, y, window := w.mark(), w.mark(), []string{"6h", "24h", "48h", "7d", "30d", "365d..8d", "1y"}[w.random.IntN(7)]
	limit := w.random.IntN(200)
	switch w.random.IntN(8) {
	case 0:
		return fmt.Sprintf("%s.last('%s') > %d", x, window, limit)
	case 1:
		return fmt.Sprintf("%s.last('%s') - %s.min('%s') >= 0.%d", x, window, x, window, limit)
	case 2:
		return fmt.Sprintf("%s.count('%s') >= %d", x, window, limit%5+1)
	case 3:
		return fmt.Sprintf("%s.last('%s') >= 1.%d * %s.mean('%s')", x, window, limit, y, window)
	case 4:
		return fmt.Sprintf("(%s.max('%s') ?? 0) < %d", x, window, limit)
	case 5:
		return fmt.Sprintf("patient.age >= %d", limit%90)
	case 6:
		return fmt.Sprintf("%s.exists('%s')", w.drug(), window)
	}
	return fmt.Sprintf("%s.last('%s', value > %d) > %s.last()", x, window, limit, y)
}

func (w *writer) list(n int, item func(i int) string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = item(i)
	}
	return strings.Join(items, ", ")
}
