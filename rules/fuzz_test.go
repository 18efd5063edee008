package rules

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// maxFuzzed keeps the fuzzer from growing inputs instead of varying them.
const maxFuzzed = 16 << 10

// fuzzCompile holds Compile to its promise: a Program, or faults that say where in the file and why; what
// compiles does so again to the same Program, and answers and shows something for a patient without facts.
func fuzzCompile(t *testing.T, pack string) {
	if len(pack) > maxFuzzed {
		return
	}
	files := []clinical.File{{Name: "p.yaml", Data: []byte(pack)}}
	p, err := Compile(files, CompileOptions{})
	var faults Faults
	if (p == nil) != errors.As(err, &faults) {
		t.Fatalf("%v, %v", p, err)
	}
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(pack), "\n")
	for _, fault := range faults {
		if fault.Line < 1 || fault.Col < 1 || fault.Problem == "" {
			t.Fatalf("a fault without a place or a reason: %+v", fault)
		}
		if fault.Line > len(lines) || fault.Col > utf8.RuneCountInString(lines[fault.Line-1])+1 {
			t.Fatalf("a fault whose place is not in the file: %+v", fault)
		}
	}
	if p == nil {
		return
	}
	again, err := Compile(files, CompileOptions{})
	if err != nil || again.Hash != p.Hash || len(again.Terms) != len(p.Terms) || len(again.Atoms) != len(p.Atoms) {
		t.Fatalf("compiled again it is another: %v", err)
	}
	values := make([]Value, len(p.Terms))
	for i, r := range p.Rules {
		if other := again.Rules[i]; Key(r.When) != Key(other.When) || r.When.String() != other.When.String() {
			t.Fatalf("%s and %s", r.When, other.When)
		}
		r.Message.Render(values)
	}
	for _, a := range p.Atoms {
		a.Eval(values)
	}
}

func FuzzCompile(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/faults/*/*.yaml", "packs/*.yaml"} {
		for _, file := range readFiles(f, glob(f, pattern)...) {
			f.Add(string(file.Data))
		}
	}
	f.Fuzz(fuzzCompile)
}

// FuzzExpression does the same for conditions, which reach the expression parser as they are.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{"a.last('48h') > 1 and not b.exists()", "(a.last() ?? 3) in [1, 2]", "yes.last() ? 1 < 2 : false", "a?.b[1:2] | f(#)", "let x = 1; x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, when string) {
		c := &compiler{inputs: []*Input{{Name: "patient"}}, termKeys: map[termKey]*Term{}, atomKeys: map[string]*Atom{}}
		in := &inputSource{name: "a", state: settled, input: &Input{ID: 0, Name: "a", Type: clinical.Number}}
		p := &pack{inputs: map[string]*inputSource{"a": in}, names: []string{"a"}}
		n := &node{src: &source{name: "p", lines: [][]rune{[]rune(when)}}, shape: scalar, line: 1, col: 1, text: when}
		e := (&checker{c: c, pack: p, source: n}).expression()
		if (e == nil) != (len(c.faults) > 0) {
			t.Fatalf("%v with %v", e, c.faults)
		}
		if e != nil {
			c.split(e, n.at(), map[int]struct{}{})
			meaning(e, make([]Value, len(c.terms)))
		}
	})
}

// FuzzDuration holds windows to one way of writing: what is read, written and read again is the same, and
// the second writing is the first.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"48h", "365d..8d", "1y6mo", "after 5m", "after 1h..6h", "1mo..1mo", "90m", "3d2h", "36h", "200y", "0s", "7 d", "-1h", "5x", "1y..", "..", "999999999999h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, c := parseWindow(s)
		if c != nil {
			if c.problem == "" || c.hint == "" {
				t.Fatalf("a complaint without a reason or a hint: %+v", c)
			}
			return
		}
		again, c := parseWindow(w.String())
		if c != nil || again != w {
			t.Fatalf("%q is read as %+v and written %q, which is read as %+v, %v", s, w, w, again, c)
		}
	})
}

// FuzzMessage writes arbitrary text where a rule's message stands.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{"Creatinine {{ a.last('7d') }} mg/dL", "{{ a.last() }}{{ a.last_time() }}", "{{", "}}", "{{ }}", "{{ a.last('48h', value > 5) }}", "{{ patient.age }} é {{ a.hours_since() }}", "{{{ a.last() }}}", "{{ a.last() + 1 }}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message string) {
		quoted := strings.NewReplacer("'", "''").Replace(message)
		pack := "pack: p\ninputs:\n  a: {observation: [\"loinc|1-8\"]}\nrules:\n- {id: r, title: t, severity: info, source: s, when: a.exists(), message: '" + quoted + "'}\n"
		fuzzCompile(t, pack)
	})
}
