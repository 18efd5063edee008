package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/rules/schema"
)

var update = flag.Bool("update", false, "write the schemas")

// documents are the files beside this one.
var documents = []schema.Document{schema.Packs, schema.Tests}

func TestTheSchemasCheckedInAreThoseOfTheDeclarations(t *testing.T) {
	for _, d := range documents {
		name := d.Name + ".schema.json"
		if *update {
			require.NoError(t, os.WriteFile(name, d.JSON(), 0o644))
		}
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, string(data), string(d.JSON()), "run the tests of this package with -update")
	}
}

// calls are the arguments after the second of every call of the method keys in a package's files.
func calls(t *testing.T, dir string) [][]ast.Expr {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var out [][]ast.Expr
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "keys" && len(call.Args) > 2 {
				out = append(out, call.Args[2:])
			}
			return true
		})
	}
	require.NotEmpty(t, out)
	return out
}

// A reader that took a list of keys of its own would let it and the schema drift apart.
func TestTheReaderOfPacksTakesEveryKeyFromTheDeclarations(t *testing.T) {
	declared := map[string]bool{}
	for _, m := range append(schema.Packs.Parts, schema.Packs.Root) {
		declared[strings.ReplaceAll(m.Name, "_", "")] = false
	}
	for _, arguments := range calls(t, "..") {
		require.Len(t, arguments, 1)
		// schema.Rule.Names()
		call, ok := arguments[0].(*ast.CallExpr)
		require.True(t, ok, "the keys are listed where they are read: declare them in rules/schema/pack.go, and pass Names()")
		names, ok := call.Fun.(*ast.SelectorExpr)
		require.True(t, ok)
		require.Equal(t, "Names", names.Sel.Name)
		mapping, ok := names.X.(*ast.SelectorExpr)
		require.True(t, ok)
		name := strings.ToLower(mapping.Sel.Name)
		require.Contains(t, declared, name)
		declared[name] = true
	}
	for name, read := range declared {
		require.True(t, read, "nothing reads the mapping %q", name)
	}
}

func TestEveryKeySaysWhatItIsForAndEveryReferenceLeadsSomewhere(t *testing.T) {
	for _, d := range documents {
		text := string(d.JSON())
		for _, m := range d.Parts {
			require.Contains(t, text, `"$ref": "#/$defs/`+m.Name+`"`, m.Name)
			require.NotEmpty(t, m.About)
		}
		for _, m := range append([]*schema.Mapping{d.Root}, d.Parts...) {
			for _, k := range m.Keys {
				require.Regexp(t, `^\S.*\.$`, k.About, "%s: %s", m.Name, k.Name)
				require.NotEmpty(t, k.Value, "%s: %s", m.Name, k.Name)
			}
		}
		compiled(t, d)
	}
}

func compiled(t *testing.T, d schema.Document) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.JSON()))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	require.NoError(t, c.AddResource("schema.json", document))
	s, err := c.Compile("schema.json")
	require.NoError(t, err)
	return s
}

// value is a YAML text as a validator of JSON reads it.
func value(t *testing.T, text []byte) any {
	t.Helper()
	data, err := yaml.YAMLToJSON(text)
	require.NoError(t, err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	require.NoError(t, err)
	return v
}

func TestEveryPackAndFileOfCasesIsValid(t *testing.T) {
	pack, cases := compiled(t, schema.Packs), compiled(t, schema.Tests)
	var files []string
	for _, pattern := range []string{"../packs/*.yaml", "../testdata/good/*.yaml", "../../examples/*.yaml"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, found)
		files = append(files, found...)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		s := pack
		if strings.HasSuffix(name, "_test.yaml") {
			s = cases
		}
		require.NoError(t, s.Validate(value(t, data)), name)
	}
}

func TestEveryPackOfTheGuideIsValid(t *testing.T) {
	s := compiled(t, schema.Packs)
	data, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	n := 0
	for _, block := range strings.Split(string(data), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if strings.Contains(block, "pack: ") {
			require.NoError(t, s.Validate(value(t, []byte(block))), block)
			n++
		}
	}
	require.Positive(t, n)
}

func TestWhatIsMisspeltOrMissingIsInvalid(t *testing.T) {
	const good = "pack: p\ninputs: {k: {observation: [\"loinc|1-1\"]}}\nrules:\n- {id: r, title: t, severity: info, source: s, when: k.last() > 1}\n"
	const goodCase = "cases:\n- {name: n, rule: r, now: 2026-03-01T12:00:00Z, facts: [k: 1 @ -1h], expect: [{at: +0h, truth: true}]}\n"
	pack, cases := compiled(t, schema.Packs), compiled(t, schema.Tests)
	require.NoError(t, pack.Validate(value(t, []byte(good))))
	require.NoError(t, cases.Validate(value(t, []byte(goodCase))))
	for _, c := range []struct {
		schema           *jsonschema.Schema
		text, from, into string
	}{
		{pack, good, "severity: info", "severity: dire"},
		{pack, good, "severity", "severty"},
		{pack, good, "source: s, ", ""},
		{pack, good, "observation", "observaton"},
		{pack, good, "pack: p", "pack: P P"},
		{pack, good, "when: k.last() > 1", "when: {all: []}"},
		{pack, good, "when: k.last() > 1", "when: {all: [a], any: [b]}"},
		{pack, good, "when: k.last() > 1", "when: {at_least: {n: 0, of: [a]}}"},
		{pack, good, "when: k.last() > 1", "when: {at_least: {of: [a]}}"},
		{pack, good, "when: k.last() > 1", "when: [a]"},
		{pack, good, "{k: ", "{K: "},
		{cases, goodCase, "rule: r, ", ""},
		{cases, goodCase, "truth: true", "truth: maybe"},
		{cases, goodCase, "facts", "fatcs"},
		{cases, goodCase, "at: +0h", "att: +0h"},
		{cases, goodCase, "k: 1 @ -1h", "{k: 1, j: 2}"},
	} {
		changed := strings.Replace(c.text, c.from, c.into, 1)
		require.NotEqual(t, c.text, changed)
		require.Error(t, c.schema.Validate(value(t, []byte(changed))), changed)
	}
}

// strings of a package: every list of texts that a variable of it holds, by its name.
func lists(t *testing.T, dir string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	out := map[string][]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, declaration := range file.Decls {
			g, ok := declaration.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				for i, name := range v.Names {
					if i >= len(v.Values) {
						continue
					}
					if list, ok := v.Values[i].(*ast.CompositeLit); ok {
						out[name.Name] = texts(list.Elts)
					}
				}
			}
		}
	}
	return out
}

func texts(list []ast.Expr) []string {
	var out []string
	for _, e := range list {
		if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
			s, err := strconv.Unquote(l.Value)
			if err == nil {
				out = append(out, s)
			}
		}
	}
	return out
}

// The reader of test cases lists its keys itself; each mapping it reads is one that is declared here.
func TestTheReaderOfTestCasesKnowsNoKeyThatIsNotDeclared(t *testing.T) {
	const dir = "../../internal/rulestest"
	variables := lists(t, dir)
	declared := map[string]bool{}
	for _, m := range append(schema.Tests.Parts, schema.Tests.Root) {
		for _, name := range m.Names() {
			declared[name] = false
		}
	}
	for _, arguments := range calls(t, dir) {
		names := texts(arguments)
		if list, ok := arguments[0].(*ast.Ident); ok {
			names = variables[list.Name]
		}
		require.NotEmpty(t, names)
		for _, name := range names {
			require.Contains(t, declared, name, "declare it in rules/schema/test.go")
			declared[name] = true
		}
	}
}

func TestTheSchemasAreJSON(t *testing.T) {
	for _, d := range documents {
		require.True(t, json.Valid(d.JSON()))
	}
}
