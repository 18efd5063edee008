package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGenerateCarriesTheTableOver(t *testing.T) {
	out := filepath.Join(t.TempDir(), "table.go")
	if err := run([]string{"-essence", "testdata/small.xml", "-out", out}); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"DO NOT EDIT.",
		"Licensed under the UCUM License, Version 1.1",
		"version 9.9 of 2000-01-01",
		`{"k", "1e3"},`,
		"\t\"K\",\n",
		`{code: "Cel", value: "1", unit: "K", function: "Cel", metric: true},`,
		`{code: "[x'U]", value: "1", unit: "1", arbitrary: true},`,
		"const arbitraryCount = 1\n",
	} {
		if !strings.Contains(string(source), want) {
			t.Errorf("the table lacks %q:\n%s", want, source)
		}
	}
}

func TestGenerateRefusesWhatIsNoTable(t *testing.T) {
	const unit = `<root><prefix Code="k"/><base-unit Code="m"/>%</root>`
	cases := map[string]string{
		"nothing":           "",
		"another document":  "<html></html>",
		"a foreign charset": `<?xml version="1.0" encoding="ebcdic"?><root/>`,
		"no value":          strings.Replace(unit, "%", `<unit Code="x"><value Unit="m"/></unit>`, 1),
		"no code":           strings.Replace(unit, "%", `<unit><value Unit="m" value="1"/></unit>`, 1),
		"no function":       strings.Replace(unit, "%", `<unit Code="x" isSpecial="yes"><value Unit="m" value="1"/></unit>`, 1),
	}
	for name, doc := range cases {
		if source, err := generate(strings.NewReader(doc)); err == nil {
			t.Errorf("%s gives a table:\n%s", name, source)
		}
	}
}
