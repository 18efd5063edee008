package ucum

import (
	"fmt"
	"sync"
)

// prefixEntry, unitEntry are the rows of the generated table: the standard's own
// words.
type prefixEntry struct {
	code, value string
}

type unitEntry struct {
	code      string
	value     string // how many of unit
	unit      string // the definition; of a special unit, the reference
	function  string // of a special unit, the standard's name for its function
	metric    bool   // takes prefixes
	arbitrary bool   // depends on a procedure; relates to nothing else
}

// atom is an indivisible unit symbol with what it amounts to.
type atom struct {
	quantity
	metric bool
}

// symbols gives a unit symbol's atom, nil when there is none, and the prefix
// before it: the finished table, or the builder while definitions are read.
type symbols interface {
	find(symbol string) (*atom, magnitude)
}

// atomTable is everything that reading codes needs. It does not change once built.
type atomTable struct {
	prefixes map[string]magnitude
	atoms    map[string]*atom
}

// standard returns the table worked out from the generated rows, on first use.
var standard = sync.OnceValue(buildAtoms)

// longestPrefix is the length of the longest prefix symbols: da, Ki.
const longestPrefix = 2

// find returns the atom and the prefix before it. A whole symbol wins over a
// prefixed one: cd is the candela, not a hundredth of a day. A short prefix wins
// over a long one, but no symbol of the table can be read both ways.
func (t *atomTable) find(symbol string) (*atom, magnitude) {
	if a := t.atoms[symbol]; a != nil {
		return a, magnitude{}
	}
	for n := 1; n <= longestPrefix && n < len(symbol); n++ {
		prefix, ok := t.prefixes[symbol[:n]]
		if !ok {
			continue
		}
		if a := t.atoms[symbol[n:]]; a != nil && a.metric {
			return a, prefix
		}
	}
	return nil, magnitude{}
}

// piDecimals is π as the standard's table has it.
var piDecimals = func() string {
	for _, e := range unitTable {
		if e.code == "[pi]" {
			return e.value
		}
	}
	panic("ucum: the table has no [pi]")
}()

// builder works the definitions out. They refer to each other in any order, so
// each is resolved when first asked for.
type builder struct {
	table *atomTable
	rows  map[string]int // into unitTable, those not resolved yet
	dims  map[string]int // own dimension by code: amounts and arbitrary units
}

// buildAtoms panics when the table contradicts itself, which the tests exclude.
func buildAtoms() *atomTable {
	b := &builder{
		table: &atomTable{
			prefixes: make(map[string]magnitude, len(prefixTable)),
			atoms:    make(map[string]*atom, len(baseTable)+len(unitTable)),
		},
		rows: make(map[string]int, len(unitTable)),
		dims: make(map[string]int, arbitraryCount+len(amounts)),
	}
	for _, e := range prefixTable {
		m, ok := parseMagnitude(e.value)
		if !ok {
			panic(fmt.Sprintf("ucum: prefix %s of the table is no positive number", e.code))
		}
		b.table.prefixes[e.code] = m
	}
	for i, code := range baseTable {
		b.table.atoms[code] = &atom{quantity: ownDimension(i), metric: true}
	}
	for i, code := range amounts {
		b.dims[code] = amountsStart + i
	}
	next := arbitraryStart
	for i, e := range unitTable {
		b.rows[e.code] = i
		if e.arbitrary {
			// [IU] is defined as another arbitrary unit, [iU], and shares its
			// dimension; its own stays unused.
			if e.unit == "1" {
				b.dims[e.code] = next
			}
			next++
		}
	}
	for _, e := range unitTable {
		b.resolve(e.code)
	}
	return b.table
}

func ownDimension(i int) quantity {
	var q quantity
	q.dims[i] = 1
	return q
}

// find looks a symbol up as the finished table will, resolving it first.
func (b *builder) find(symbol string) (*atom, magnitude) {
	b.resolve(symbol)
	if a := b.table.atoms[symbol]; a == nil {
		for n := 1; n <= longestPrefix && n < len(symbol); n++ {
			if _, ok := b.table.prefixes[symbol[:n]]; ok {
				b.resolve(symbol[n:])
			}
		}
	}
	return b.table.find(symbol)
}

func (b *builder) resolve(code string) {
	row, pending := b.rows[code]
	if !pending {
		return
	}
	delete(b.rows, code)
	e := unitTable[row]
	a := &atom{metric: e.metric}
	if i, ok := b.dims[code]; ok {
		a.quantity = ownDimension(i)
		b.table.atoms[code] = a
		return
	}
	if code == "[pi]" {
		a.size.pi = 1
		b.table.atoms[code] = a
		return
	}

	q, err := parse(e.unit, b)
	if err != nil {
		panic(fmt.Sprintf("ucum: definition of %s in the table: %v", code, err))
	}
	value, ok := parseMagnitude(e.value)
	if !ok {
		panic(fmt.Sprintf("ucum: value of %s in the table is no positive number", code))
	}
	q.size = q.size.mul(value)
	if e.function != "" {
		fn, ok := functions[e.function]
		if !ok {
			panic(fmt.Sprintf("ucum: %s in the table has the unknown function %s", code, e.function))
		}
		q = quantity{dims: q.dims, special: &special{code: code, ref: q.size, fn: fn}}
	}
	a.quantity = q
	b.table.atoms[code] = a
}
