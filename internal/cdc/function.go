package cdc

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
)

// What an expression can fail with for want of something that others give.
var (
	ErrNoRow   = errors.New("the row that a lookup asks for is not known")
	ErrNoCode  = errors.New("the code is not in the table of codes")
	errNoValue = errors.New("not a value that this function takes")
)

// functions are those that expressions have besides expr's own, and besides code and lookup (see scope). Each gives nil for nil, so that what is not
// known is left out of the resource.
func functions() []expr.Option {
	return []expr.Option{
		expr.Function("decimal", simple(decimal), new(func(any) any)),
		expr.Function("epochDays", simple(epochDays), new(func(any) any)),
		expr.Function("epochMillis", simple(epoch(time.UnixMilli)), new(func(any) any)),
		expr.Function("epochMicros", simple(epoch(time.UnixMicro)), new(func(any) any)),
	}
}

// simple is a function of one value.
func simple(f func(any) (any, error)) func(...any) (any, error) {
	return func(p ...any) (any, error) {
		if p[0] == nil {
			return nil, nil
		}
		return f(p[0])
	}
}

// decimal is a number that the tool wrote as text so that none of its digits is lost.
func decimal(v any) (any, error) {
	switch v := v.(type) {
	case int, float64:
		return v, nil
	case string:
		if _, err := strconv.ParseFloat(v, 64); err == nil && json.Valid([]byte(v)) {
			return json.Number(v), nil
		}
	}
	return nil, fmt.Errorf("decimal: %w", errNoValue)
}

// epochDays is the date of a day counted from 1970, as Debezium writes a column of type date.
func epochDays(v any) (any, error) {
	days, ok := v.(int)
	if !ok {
		return nil, fmt.Errorf("epochDays: %w", errNoValue)
	}
	return time.Unix(0, 0).UTC().AddDate(0, 0, days).Format(time.DateOnly), nil
}

// epoch is the instant of a column of type timestamp.
func epoch(at func(int64) time.Time) func(any) (any, error) {
	return func(v any) (any, error) {
		n, ok := v.(int)
		if !ok {
			return nil, fmt.Errorf("the epoch: %w", errNoValue)
		}
		return at(int64(n)).UTC().Format(time.RFC3339Nano), nil
	}
}

// scope is what code and lookup look into.
type scope struct {
	mapping *Mapping
	rows    func(table, key string) (map[string]any, error)
}

// code is the coding that the mapping has for one of the site's own codes.
func (s *scope) code(table string, local any) (map[string]any, error) {
	if local == nil {
		return nil, nil
	}
	coding, _ := s.mapping.codes[table][fmt.Sprint(local)].(map[string]any)
	if coding == nil {
		return nil, fmt.Errorf("%w %s", ErrNoCode, table)
	}
	return coding, nil
}

// lookup is what a table keeps of the row with a key.
func (s *scope) lookup(table string, key ...any) (map[string]any, error) {
	if slices.Contains(key, nil) {
		return nil, nil
	}
	row, err := s.rows(table, keyOf(key))
	if err == nil && row == nil {
		err = fmt.Errorf("%w: of table %s", ErrNoRow, table)
	}
	return row, err
}

// keyOf writes the values of a key such that different ones differ.
func keyOf(values []any) string {
	b, err := json.Marshal(values)
	if err != nil { // strings, numbers and bools, as they were read
		return fmt.Sprintf("%#v", values)
	}
	return string(b)
}

// names looks at the tables and codes that an expression names, which have to be there.
type names struct {
	mapping  *Mapping
	problems []struct{ problem, mend string }
}

// Visit implements ast.Visitor.
func (v *names) Visit(n *ast.Node) {
	switch n := (*n).(type) {
	case *ast.CallNode:
		v.call(n)
	case *ast.MemberNode:
		v.member(n)
	}
}

func (v *names) add(problem, mend string) {
	v.problems = append(v.problems, struct{ problem, mend string }{problem, mend})
}

func called(n ast.Node) string {
	call, ok := n.(*ast.CallNode)
	if !ok {
		return ""
	}
	name, _ := call.Callee.(*ast.IdentifierNode)
	if name == nil {
		return ""
	}
	return name.Value
}

func (v *names) call(n *ast.CallNode) {
	name := called(n)
	if name != "code" && name != "lookup" || len(n.Arguments) == 0 {
		return
	}
	first, ok := n.Arguments[0].(*ast.StringNode)
	switch {
	case !ok:
		v.add(name+" names its table in quotes", "")
	case name == "code" && v.mapping.codes[first.Value] == nil:
		v.add(fmt.Sprintf("there is no table of codes %q", first.Value), known("codes", slices.Sorted(maps.Keys(v.mapping.codes))))
	case name == "lookup" && v.mapping.tables[first.Value] == nil:
		v.add(fmt.Sprintf("there is no table %q", first.Value), known("tables", v.mapping.Tables()))
	case name == "lookup" && len(n.Arguments)-1 != len(v.mapping.tables[first.Value].key):
		v.add(fmt.Sprintf("the key of %s is %s", first.Value, strings.Join(v.mapping.tables[first.Value].key, ", ")), "give lookup a value for each")
	}
}

// member holds lookup("t", key).column to what table t keeps.
func (v *names) member(n *ast.MemberNode) {
	column, ok := n.Property.(*ast.StringNode)
	if !ok || called(n.Node) != "lookup" {
		return
	}
	first, ok := n.Node.(*ast.CallNode).Arguments[0].(*ast.StringNode)
	if !ok {
		return
	}
	if t := v.mapping.tables[first.Value]; t != nil && !slices.Contains(t.keep, column.Value) {
		v.add(fmt.Sprintf("table %s does not keep %s", t.name, column.Value), fmt.Sprintf("write `keep: [%s]` there", column.Value))
	}
}

func known(what string, names []string) string {
	if len(names) == 0 {
		return "there are no " + what
	}
	return "there are " + strings.Join(names, ", ")
}
