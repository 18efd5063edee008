package cdc

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/types"
)

// Mapping says what the tables of a database state in FHIR. It does not change, and may be used from any number
// of goroutines.
type Mapping struct {
	tables map[string]*table
	codes  map[string]map[string]any
}

// table is what a mapping says of one table.
type table struct {
	name      string
	key       []string // the columns that tell rows apart
	columns   []string
	keep      []string // columns that lookups into this table can ask for
	resources []*resource
}

// resource is what a row states, while it states it.
type resource struct {
	place string
	when  *leaf // nil: always
	body  template
}

// Parse reads a mapping. The error is Faults, with everything that is wrong; name is what they call the file.
func Parse(name string, text []byte) (*Mapping, error) {
	r := &reader{file: name}
	m := &Mapping{tables: map[string]*table{}, codes: map[string]map[string]any{}}
	if root := r.parse(text); root != nil {
		m.read(r, root)
	}
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(x, y Fault) int { return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Col, y.Col)) })
		return nil, r.faults
	}
	return m, nil
}

func (m *Mapping) read(r *reader, root *node) {
	version, tables := false, false
	var later []func() // what knows all tables and codes
	r.fields(root, "a mapping", map[string]func(*node){
		"mapping": func(n *node) {
			if version = true; fmt.Sprint(n.value) != "1" {
				r.fault(n, "the format of mappings is 1", "write `mapping: 1`")
			}
		},
		"codes": func(n *node) { m.readCodes(r, n) },
		"tables": func(n *node) {
			tables = true
			if !n.isMap || len(n.pairs) == 0 {
				r.fault(n, "tables are named here, each with what it states", "")
				return
			}
			for _, p := range n.pairs {
				m.tables[p.key] = m.readTable(r, p.key, p.value, &later)
			}
		},
	})
	if !version {
		r.fault(root, "the format is missing", "write `mapping: 1` first")
	}
	if !tables {
		r.fault(root, "there are no tables", "write `tables:` with at least one")
	}
	for _, f := range later {
		f()
	}
}

// readCodes reads the site's own codes: tables of coding by local code.
func (m *Mapping) readCodes(r *reader, n *node) {
	if !n.isMap {
		r.fault(n, "codes are tables by name, each of codings by the site's own code", "")
		return
	}
	for _, p := range n.pairs {
		codes := map[string]any{}
		m.codes[p.key] = codes
		if !p.value.isMap {
			r.fault(p.value, "a table of codes has a coding for each of the site's codes", "")
			continue
		}
		for _, c := range p.value.pairs {
			coding := map[string]any{}
			text := func(key string) func(*node) {
				return func(n *node) {
					if n.isMap || n.isList || n.value == nil {
						r.fault(n, key+" is a text", "")
						return
					}
					coding[key] = fmt.Sprint(n.value)
				}
			}
			r.fields(c.value, "a coding", map[string]func(*node){"system": text("system"), "code": text("code"), "display": text("display")})
			if coding["system"] == nil || coding["code"] == nil {
				r.fault(c.at, "a coding has a system and a code", "as in {system: http://loinc.org, code: 2823-3}")
			}
			codes[c.key] = coding
		}
	}
}

func (m *Mapping) readTable(r *reader, name string, n *node, later *[]func()) *table {
	t := &table{name: name}
	r.fields(n, "a table", map[string]func(*node){
		"key":     func(n *node) { t.key = r.words(n) },
		"columns": func(n *node) { t.columns = r.words(n) },
		"keep":    func(n *node) { t.keep = r.words(n) },
		"resources": func(n *node) {
			if !n.isList {
				r.fault(n, "resources are a list", "")
				return
			}
			for _, item := range n.items {
				*later = append(*later, func() { t.resources = append(t.resources, m.readResource(r, t, item)) })
			}
		},
	})
	if len(t.key) == 0 {
		r.fault(n, "the table has no key", "name the columns of its primary key: `key: id`")
	}
	if len(t.columns) == 0 {
		r.fault(n, "the table has no columns", "name those that the mapping uses: `columns: [id, code, value]`")
	}
	for _, c := range slices.Concat(t.key, t.keep) {
		if len(t.columns) > 0 && !slices.Contains(t.columns, c) {
			r.fault(n, fmt.Sprintf("the column %s is not among the columns", c), "the table has "+strings.Join(t.columns, ", "))
		}
	}
	return t
}

func (m *Mapping) readResource(r *reader, t *table, n *node) *resource {
	res := &resource{place: fmt.Sprintf("tables.%s.resources[%d]", t.name, len(t.resources))}
	env := m.environment(t)
	body := false
	r.fields(n, "a resource", map[string]func(*node){
		"when": func(n *node) {
			text, ok := n.value.(string)
			if !ok {
				r.fault(n, "when is an expression", "as in `when: row.status == \"final\"`")
				return
			}
			res.when = m.compile(r, n, strings.TrimPrefix(strings.TrimSpace(text), "="), env, expr.AsBool())
		},
		"resource": func(n *node) {
			body = true
			if !n.isMap {
				r.fault(n, "a FHIR resource is written here", "")
				return
			}
			res.body = m.template(r, n, env)
			for _, need := range []string{"resourceType", "id"} {
				if !slices.ContainsFunc(n.pairs, func(p pair) bool { return p.key == need }) {
					r.fault(n, "the resource has no "+need, "")
				}
			}
		},
	})
	if !body {
		r.fault(n, "there is no resource", "write it under `resource:`")
	}
	return res
}

// environment is what an expression about a table's row can name.
func (m *Mapping) environment(t *table) types.Map {
	columns := types.Map{}
	for _, c := range t.columns {
		columns[c] = types.Any
	}
	s := new(scope)
	return types.Map{"row": columns, "before": columns, "op": types.String, "source": types.Map{types.Extra: types.Any},
		"code": types.TypeOf(s.code), "lookup": types.TypeOf(s.lookup)}
}

// Tables are the names of the tables that are mapped, sorted.
func (m *Mapping) Tables() []string { return slices.Sorted(maps.Keys(m.tables)) }

// table finds what is said of a table, which a mapping may name with its schema.
func (m *Mapping) table(e *Envelope) *table {
	if t := m.tables[e.Schema+"."+e.Table]; t != nil {
		return t
	}
	return m.tables[e.Table]
}
