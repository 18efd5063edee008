package fhir

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Each testdata/<case>.json is one resource; <case>.facts is what it states.
func TestResourcesStateTheseFacts(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	d := New(Options{})
	for _, input := range inputs {
		t.Run(strings.TrimSuffix(filepath.Base(input), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(input)
			require.NoError(t, err)
			m, err := d.Resource(data)
			require.NoError(t, err)
			got := render(m)
			golden := strings.TrimSuffix(input, ".json") + ".facts"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err, "a case needs its golden file: run with -update and read what it says")
			require.Equal(t, string(want), got)

			// The log gives back what was put in.
			record := clinical.Record{Patient: m.Patient, Assertions: []clinical.Assertion{m.Assertion}}
			back, err := clinical.UnmarshalRecord(record.Marshal())
			require.NoError(t, err)
			m.Assertion = back.Assertions[0]
			require.Equal(t, got, render(m))
		})
	}
}

func render(m Mapped) string {
	var b strings.Builder
	fmt.Fprintf(&b, "patient %q resource %s version %d", m.Patient, m.Assertion.Resource, m.Assertion.Version.Number)
	if u := m.Assertion.Version.Updated; u != 0 {
		fmt.Fprintf(&b, " updated %s", u)
	}
	if m.Counted != "" {
		fmt.Fprintf(&b, " counted %s", m.Counted)
	}
	b.WriteByte('\n')
	types := []string{"no value", "number", "coded", "boolean", "text", "absent"}
	precisions := []string{"ms", "s", "min", "day", "month", "year"}
	for _, f := range m.Assertion.Facts {
		d := f.Detail
		fmt.Fprintf(&b, "%s\n  %s .. %s to the %s\n  %s", f.Stream.Key(), f.Time, f.End, precisions[d.Precision], types[d.Type])
		switch d.Type {
		case clinical.Number, clinical.Boolean:
			fmt.Fprintf(&b, " %s%s", map[clinical.Comparator]string{clinical.Below: "<", clinical.Above: ">"}[d.Comparator],
				strconv.FormatFloat(f.Number, 'g', -1, 64))
		case clinical.Coded:
			fmt.Fprintf(&b, " %s", d.Codes)
		case clinical.Text:
			fmt.Fprintf(&b, " %q", d.Text)
		}
		if d.Unit != "" {
			fmt.Fprintf(&b, " %s", d.Unit)
		}
		b.WriteByte('\n')
		if f.Authored != 0 {
			fmt.Fprintf(&b, "  written down %s\n", f.Authored)
		}
		for _, a := range d.Attributes {
			if a.Numeric {
				fmt.Fprintf(&b, "  %s = %s\n", a.Name, strconv.FormatFloat(a.Number, 'f', -1, 64))
			} else {
				fmt.Fprintf(&b, "  %s = %s\n", a.Name, a.Codes)
			}
		}
	}
	return b.String()
}
