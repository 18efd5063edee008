package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules/schema"
)

// Limits of one table.
const (
	// MaxRows is how many rows a table may have.
	MaxRows = 1000
	// MaxColumns is how many columns a table may have, that of the answer included.
	MaxColumns = 8
)

// Table leads from keys, such as age and sex, to a value. No two of its rows fit the same keys.
type Table struct {
	Pack, Name string
	Columns    []Column // of the keys; the answer's is last and not among them
	Answer     string   // the name of the answer's column
	Rows       []TableRow
	Else       Value // of keys that no row fits; missing where the table does not say

	answers typ
}

// Column is what one key of a table is.
type Column struct {
	Name  string
	Kind  ValueKind // Number, Text or Boolean
	Scale Scale     // of numbers
}

// TableRow is one row: the value for keys that fit every cell.
type TableRow struct {
	Cells []Cell
	Value Value
}

// Cell is what a key must be like.
type Cell struct {
	Any  bool
	Band Band  // of a column of numbers
	Is   Value // of the others
}

// Lookup is the table's value for keys: that of the row that fits them, else the table's Else. It is
// missing where a key is missing or a bounded number.
type Lookup struct {
	Table *Table
	Keys  []Expr
}

func (e *Lookup) String() string { return written(e, (*Term).String) }

// Find is the table's value for keys, of which none is missing or bounded.
func (t *Table) find(keys []Value) Value {
	for i := range t.Rows {
		if t.Rows[i].fits(t.Columns, keys) {
			return t.Rows[i].Value
		}
	}
	return t.Else
}

func (r *TableRow) fits(columns []Column, keys []Value) bool {
	for i := range r.Cells {
		switch c := &r.Cells[i]; {
		case c.Any:
		case columns[i].Kind == Number:
			if !c.Band.holds(columns[i].Scale.At(keys[i].Num)) {
				return false
			}
		case c.Is != keys[i]:
			return false
		}
	}
	return true
}

// lookup is find with what is missing or bounded.
func (t *Table) lookup(keys []Value) Value {
	for i, k := range keys {
		if k.Kind != t.Columns[i].Kind || k.Bound != clinical.Exactly {
			return Value{}
		}
	}
	return t.find(keys)
}

// tables reads the tables of a pack.
func (r reader) tables(p *pack, n *node) {
	if n == nil || !r.is(n, mapping, "tables") {
		return
	}
	for _, v := range n.pairs {
		name := v.key.text
		if !inputPattern.MatchString(name) {
			r.add(v.key.at(), fmt.Sprintf("the table's name %q is not small letters, digits and underscores after a letter", name), "as in `egfr_k`")
			continue
		}
		if t := r.table(p, v); t != nil {
			p.tables[name] = t
		} else {
			p.tables[name] = nil // it is there, with faults
		}
	}
}

func (r reader) table(p *pack, v pair) *Table {
	what := "the table " + strconv.Quote(v.key.text)
	keys := r.keys(v.value, what, schema.Table.Names()...)
	if v.value.shape != mapping {
		return nil
	}
	before := len(r.faults)
	if keys["columns"] == nil {
		r.add(v.key.at(), what+" has no columns", "name them, the answer last, as in `columns: [age, sex, k]`")
	}
	if keys["rows"] == nil {
		r.add(v.key.at(), what+" has no rows", "write each as a list, as in `- [18..64, female, 0.7]`")
	}
	names := r.words(keys["columns"], "columns")
	if len(r.faults) > before {
		return nil
	}
	if len(names) < 2 || len(names) > MaxColumns {
		r.add(keys["columns"].at(), fmt.Sprintf("%s has %d columns, and 2 to %d make a table", what, len(names), MaxColumns), "name the keys' and, last, the answer's")
		return nil
	}
	if !r.is(keys["rows"], list, "rows") {
		return nil
	}
	rows := keys["rows"].items
	if len(rows) == 0 || len(rows) > MaxRows {
		r.add(keys["rows"].at(), fmt.Sprintf("%s has %d rows, and 1 to %d make a table", what, len(rows), MaxRows), "")
		return nil
	}
	for _, row := range rows {
		if !r.is(row, list, "a row") {
			continue
		}
		if len(row.items) != len(names) {
			r.add(row.at(), fmt.Sprintf("the row has %d cells, and the table %d columns: %s", len(row.items), len(names), strings.Join(names, ", ")), "`any` stands for every key")
			continue
		}
		for _, cell := range row.items {
			r.is(cell, scalar, "a cell")
		}
	}
	if len(r.faults) > before {
		return nil
	}
	t := &Table{Pack: p.name, Name: v.key.text, Answer: names[len(names)-1], Rows: make([]TableRow, len(rows))}
	for i := range names[:len(names)-1] {
		t.Columns = append(t.Columns, r.column(names[i], i, rows, t.Rows))
	}
	for i, row := range rows {
		t.Rows[i].Value = r.answer(t, row.items[len(names)-1])
	}
	if n := keys["else"]; n != nil && r.is(n, scalar, "else") {
		t.Else = r.answer(t, n)
	}
	if len(r.faults) > before || !r.disjoint(t, rows) {
		return nil
	}
	return t
}

const anyCell = "any"

// column reads the cells of one column of keys.
func (r reader) column(name string, at int, rows []*node, into []TableRow) Column {
	column := Column{Name: name, Kind: Boolean}
	var bands []bandCell
	numbers, truths, filled := true, true, 0
	for _, row := range rows {
		text := strings.TrimSpace(row.items[at].text)
		if text == anyCell {
			continue
		}
		filled++
		cell, isBand := readBand(text)
		numbers = numbers && isBand && row.items[at].style == plain
		truths = truths && (text == "true" || text == "false")
		bands = append(bands, cell)
	}
	switch {
	case filled == 0:
		r.add(rows[0].items[at].at(), fmt.Sprintf("the column %q says nothing: all of it is `any`", name), "drop the column")
	case truths:
	case numbers:
		column.Kind, column.Scale = Number, scaleOf(bands)
	default:
		column.Kind = Text
	}
	next := 0
	for i, row := range rows {
		n := row.items[at]
		text := strings.TrimSpace(n.text)
		c := Cell{Any: text == anyCell}
		switch {
		case c.Any:
		case column.Kind == Number:
			c.Band = bands[next].Band
			if fault := bands[next].complain(); fault != nil {
				r.add(n.at(), fault.problem, fault.hint)
			}
		case column.Kind == Boolean:
			c.Is = BoolOf(text == "true")
		default:
			c.Is = TextOf(text)
			if strings.Contains(text, "..") {
				r.add(n.at(), fmt.Sprintf("%q is not a band of numbers, or not all of the column are", text), "bands are written 18..64, ..17, 65.. or 18..<65")
			}
		}
		if !c.Any {
			next++
		}
		into[i].Cells = append(into[i].Cells, c)
	}
	return column
}

// answer reads a cell of the last column, whose cells are all of one type.
func (r reader) answer(t *Table, n *node) Value {
	v := scalarValue(n)
	if strings.TrimSpace(n.text) == "" {
		r.add(n.at(), "the answer is empty", "leave the row out for what has none")
		return v
	}
	if t.answers == broken {
		t.answers = typeOf(v)
	}
	if typeOf(v) != t.answers {
		r.add(n.at(), fmt.Sprintf("the column %q holds %s here and %s before", t.Answer, typeOf(v), t.answers), "all of the answers are of one type")
	}
	return v
}

// disjoint reports rows that fit the same keys.
func (r reader) disjoint(t *Table, rows []*node) bool {
	fine := true
	for i := range t.Rows {
		for j := range i {
			if t.overlap(i, j) {
				r.add(rows[i].at(), "the row fits keys that an earlier row fits, too", fmt.Sprintf("the other is in line %d; bands that meet are written 0..17 and 18..64, or 0..<18 and 18..<65", rows[j].line))
				fine = false
				break
			}
		}
	}
	return fine
}

func (t *Table) overlap(i, j int) bool {
	for k := range t.Columns {
		x, y := t.Rows[i].Cells[k], t.Rows[j].Cells[k]
		switch {
		case x.Any || y.Any:
		case t.Columns[k].Kind == Number:
			if !x.Band.overlaps(y.Band) {
				return false
			}
		case x.Is != y.Is:
			return false
		}
	}
	return true
}

// lookup reads `table('name', key, …)`.
func (k *checker) lookup(n *ast.CallNode) (Expr, typ) {
	const example = "as in `table('egfr_k', patient.age, patient.sex)`"
	if len(n.Arguments) == 0 {
		k.fault(n, "`table` does not say which", example)
		return nil, broken
	}
	name, ok := n.Arguments[0].(*ast.StringNode)
	if !ok {
		k.fault(n.Arguments[0], "a table is named by a text", example)
		return nil, broken
	}
	t, known := k.pack.tables[name.Value]
	var keys []Expr
	fine := true
	for i, argument := range n.Arguments[1:] {
		e, et := k.check(argument, inside)
		fine = fine && et != broken
		keys = append(keys, e)
		if t == nil || i >= len(t.Columns) || et == broken {
			continue
		}
		if want := typeOf(Value{Kind: t.Columns[i].Kind}); et != want {
			k.fault(argument, fmt.Sprintf("the column %q of the table holds %s, and this is %s", t.Columns[i].Name, cellWords[want], et), "")
			fine = false
		}
	}
	switch {
	case !known:
		var names []string
		for name := range k.pack.tables {
			names = append(names, name)
		}
		hint := "the pack has no tables: declare it under `tables:`"
		if len(names) > 0 {
			hint = didYouMeanOr(name.Value, names, "the pack's tables are")
		}
		k.faultAt(name, fmt.Sprintf("unknown table %q", name.Value), hint)
		return nil, broken
	case t == nil || !fine:
		return nil, broken
	case len(keys) != len(t.Columns):
		var names []string
		for _, c := range t.Columns {
			names = append(names, c.Name)
		}
		k.fault(n, fmt.Sprintf("the table %q is asked for with %d keys, and %d are given", t.Name, len(t.Columns), len(keys)), "they are "+strings.Join(names, ", "))
		return nil, broken
	}
	return &Lookup{t, keys}, t.answers
}

var cellWords = map[typ]string{number: "bands of numbers", text: "texts", boolean: "true or false"}
