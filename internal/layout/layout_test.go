// Package layout holds the shape of the tree: which package may use which, and what the pure ones may not
// touch.
package layout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/vigil-cds/vigil/"
	root   = "../.."
)

// arrows lists what each package may use of this module. A package that is not here may use none.
var arrows = map[string][]string{
	"internal/clinical":         {},
	"internal/ucum":             {},
	"internal/ucum/gen":         {},
	"internal/broker":           {},
	"internal/kafkatest":        {},
	"internal/web":              {},
	"internal/ward":             {},
	"internal/endtoend":         {},
	"config":                    {"internal/ucum"},
	"internal/fhir":             {"internal/clinical"},
	"rules":                     {"rules/schema", "internal/clinical", "internal/ucum"},
	"rules/schema":              {},
	"rules/packs":               {"internal/clinical"},
	"pointer":                   {"rules", "internal/clinical"},
	"store":                     {"pointer", "rules", "internal/clinical", "internal/disk"},
	"explain":                   {"explain/record", "rules", "internal/clinical", "internal/ucum"},
	"explain/record":            {"rules", "internal/clinical"},
	"explain/record/recordtest": {"explain/record", "rules", "internal/clinical"},
	"explain/render":            {"explain/record", "rules", "internal/clinical"},
	"explain/archive":           {"internal/clinical", "internal/disk"},
	"explain/replay":            {"explain", "explain/archive", "explain/record", "rules", "internal/clinical"},
	"processor/group":           {},
	"processor/secure":          {},
	"explain/service":           {"explain/archive", "explain/record", "explain/replay", "processor", "rules", "internal/clinical"},
	"processor":                 {"processor/group", "processor/secure", "rules", "pointer", "store", "internal/claim", "internal/clinical", "internal/crashpoint", "internal/fhir", "internal/broker"},
	"internal/api":              {"config", "internal/access", "explain/record", "explain/render", "explain/replay", "explain/service", "pointer", "processor", "store", "rules", "internal/clinical", "internal/fhir", "internal/planning", "internal/web"},
	"internal/rulestest":        {"rules", "internal/clinical", "internal/fhir"},
	"internal/rulesrun":         {"explain", "explain/record", "explain/render", "pointer", "rules", "internal/clinical", "internal/rulestest"},
	"internal/diagnostic":       {"rules", "internal/clinical"},
	"internal/lint":             {"rules", "internal/clinical", "internal/diagnostic", "internal/ucum"},
	"internal/packfmt":          {"rules"},
	"internal/planning":         {"pointer", "rules", "internal/clinical"},
	"internal/equivalence":      {"explain", "explain/archive", "explain/record", "explain/replay", "pointer", "processor", "rules", "store", "internal/clinical"},
	"internal/access":           {},
	"internal/backup":           {},
	"internal/crashpoint":       {},
	"internal/disk":             {},
	"internal/claim":            {"internal/fhir"},
	"internal/cdc":              {"internal/clinical", "internal/fhir"},
	"internal/source":           {"processor", "internal/cdc", "internal/clinical", "internal/disk", "internal/fhir"},
	"internal/crash":            {"processor", "rules", "store", "internal/clinical"},
	"internal/bench":            {"processor", "store", "internal/clinical"},
	"internal/bench/volume":     {"internal/clinical"},
	"cmd/vigil": {"config", "explain", "explain/archive", "explain/record", "explain/render", "explain/replay", "explain/service", "pointer", "processor", "processor/group", "processor/secure", "rules", "rules/packs", "rules/schema", "store", "internal/access", "internal/api", "internal/backup", "internal/bench", "internal/bench/volume",
		"internal/broker", "internal/cdc", "internal/claim", "internal/clinical", "internal/diagnostic", "internal/fhir", "internal/lint", "internal/packfmt", "internal/planning", "internal/rulesrun", "internal/rulestest", "internal/source", "internal/ucum", "internal/ward"},
}

// impure is what the pure packages may not import.
var impure = []string{"io/fs", "log", "log/slog", "net", "net/http", "os", "math/rand", "math/rand/v2",
	"github.com/prometheus/client_golang/prometheus", "github.com/cockroachdb/pebble/v2", "github.com/lovoo/goka", "github.com/IBM/sarama"}

// pure packages read no clock and do no I/O.
var pure = []string{"rules", "rules/schema", "pointer", "explain", "explain/record", "explain/render", "internal/clinical", "internal/ucum"}

// sources calls f with each parsed file that is no test, and the folder it lies in.
func sources(t *testing.T, f func(folder string, file *ast.File, set *token.FileSet)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		f(filepath.ToSlash(folder), file, set)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestArrowsPointOneWay(t *testing.T) {
	seen := map[string]bool{}
	sources(t, func(folder string, file *ast.File, _ *token.FileSet) {
		seen[folder] = true
		allowed, known := arrows[folder]
		if !known {
			t.Errorf("package %s is not in the picture of the layout", folder)
		}
		for _, i := range file.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if used, ours := strings.CutPrefix(path, module); ours && !slices.Contains(allowed, used) {
				t.Errorf("package %s uses %s, which the layout does not allow", folder, used)
			}
		}
	})
	for folder := range arrows {
		if !seen[folder] {
			t.Errorf("the layout names %s, which is not there", folder)
		}
	}
}

func TestPurePackagesReadNoClockAndDoNoIO(t *testing.T) {
	sources(t, func(folder string, file *ast.File, set *token.FileSet) {
		if !slices.Contains(pure, folder) {
			return
		}
		for _, i := range file.Imports {
			if path, _ := strconv.Unquote(i.Path.Value); slices.Contains(impure, path) {
				t.Errorf("%s: a pure package imports %s", set.Position(i.Pos()), path)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "After", "Sleep", "NewTimer", "NewTicker"}, s.Sel.Name) {
					t.Errorf("%s: a pure package uses time.%s", set.Position(n.Pos()), s.Sel.Name)
				}
			}
			return true
		})
	})
}
