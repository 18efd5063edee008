package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/internal/cdc"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/internal/source"
)

// startSource reads the changes of a database. The topics of Vigil must be there.
func (e *engine) startSource(c config.Config, logger *slog.Logger) error {
	mapping, err := readMapping(c.Source.Mapping)
	if err != nil {
		return fmt.Errorf("source.mapping: %w", err)
	}
	e.source, err = source.Start(source.Config{Log: e.config, Topics: c.Source.Topics, Wait: c.Source.Wait, OpenBytes: int64(c.Source.OpenBytes), Dir: filepath.Join(c.Data, "source")},
		source.Deps{Mapping: mapping, Decoder: e.decoder, Logger: logger, Registerer: e.registry, Fatal: halt})
	return err
}

func readMapping(path string) (*cdc.Mapping, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return cdc.Parse(path, text)
}

func (a *app) sourceCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "source",
		Short: "Check and try how rows of a database become FHIR",
		Long: `A database's changes, as tools for change data capture write them to Kafka, become FHIR by a mapping:
vigil serve --roles source,… reads them. These commands try a mapping without Kafka.`,
		Example: `  vigil source check examples/cdc/mapping.yaml
  vigil source map examples/cdc/mapping.yaml examples/cdc/envelopes.ndjson`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.sourceCheckCommand(), a.sourceMapCommand())
	return c
}

func (a *app) sourceCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "check MAPPING",
		Short:   "Report everything that is wrong with a mapping",
		Example: `  vigil source check mapping.yaml`,
		Args:    one("MAPPING"),
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := readMapping(args[0])
			if err != nil {
				var faults cdc.Faults
				if a.json() && errors.As(err, &faults) {
					return errors.Join(a.printJSON(map[string]any{"faults": faults}), errReported)
				}
				return err
			}
			if a.json() {
				return a.printJSON(map[string]any{"tables": m.Tables()})
			}
			fmt.Fprintf(a.stdout, "%d tables, without fault\n", len(m.Tables()))
			return nil
		},
	}
}

// mapped is what one transaction states, for a program.
type mapped struct {
	Transaction string          `json:"transaction,omitempty"`
	Stated      []statedOf      `json:"stated,omitempty"`
	Refused     []refusedChange `json:"refused,omitempty"`
}

type statedOf struct {
	Patient string        `json:"patient,omitempty"`
	Entries []mappedEntry `json:"entries"`
}

type mappedEntry struct {
	Method   string `json:"method"`
	Resource string `json:"resource"`
	Body     any    `json:"body,omitempty"`
}

type refusedChange struct {
	Line   int64  `json:"line"`
	Reason string `json:"reason"`
	Why    string `json:"why"`
}

func (a *app) sourceMapCommand() *cobra.Command {
	var bodies bool
	c := &cobra.Command{
		Use:   "map MAPPING [ENVELOPES]",
		Short: "Show what the envelopes of a file state",
		Long: `Reads envelopes, one JSON object a line, as if they came from one partition of a topic, and shows what each
transaction states about which patient, or why it is refused: with the values of rows, which the dead-letter
topic leaves out. Without a file, or with -, it reads standard input.`,
		Example: `  vigil source map mapping.yaml envelopes.ndjson
  vigil source map --bodies mapping.yaml - < envelopes.ndjson`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 2 {
				return fmt.Errorf("%s takes a mapping and one file: leave %q out", c.CommandPath(), args[2])
			}
			return some("MAPPING")(c, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := readMapping(args[0])
			if err != nil {
				return err
			}
			in := a.stdin
			if len(args) == 2 && args[1] != "-" {
				f, err := os.Open(args[1])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			return a.mapEnvelopes(m, in, bodies)
		},
	}
	c.Flags().BoolVar(&bodies, "bodies", false, "show the resources whole")
	return c
}

// mapEnvelopes plays a file through a mapping. It fails when anything is refused.
func (a *app) mapEnvelopes(m *cdc.Mapping, in io.Reader, bodies bool) error {
	decoder := fhir.New(fhir.Options{KnownUnit: knownUnits(nil)})
	rows := map[cdc.RowName]*cdc.Row{}
	var collector cdc.Collector
	whole, refused := 0, 0
	show := func(t *cdc.Transaction, patients []cdc.PatientEntries, refusals []cdc.Refusal) error {
		if len(refusals) > 0 {
			refused++
		} else {
			whole++
		}
		return a.showMapped(t.ID, patients, refusals, bodies)
	}
	play := func() error {
		for _, t := range collector.Ready(func(*cdc.Transaction) bool { return true }) {
			effect, err := m.Apply(t, func(name cdc.RowName) (*cdc.Row, error) { return rows[name], nil }, decoder)
			if err != nil {
				return err
			}
			for name, row := range effect.Rows {
				rows[name] = row
			}
			if err := show(t, effect.Patients, effect.Refusals); err != nil {
				return err
			}
		}
		return nil
	}
	lines := bufio.NewReader(in)
	for n := int64(1); ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		part := cdc.Part{Place: cdc.Place{Offset: n}, Value: line}
		e, fault := cdc.Decode(bytes.TrimSpace(line))
		switch {
		case fault != nil:
			f := &fhir.Fault{Reason: cdc.ReasonEnvelope, Problem: fault.Error()}
			if err := show(new(cdc.Transaction), nil, []cdc.Refusal{{Part: &part, Fault: f}}); err != nil {
				return err
			}
		case e != nil:
			part.Change = e
			collector.Add(part, n)
		}
		if err := play(); err != nil {
			return err
		}
		if err != nil {
			break
		}
	}
	for t := collector.Oldest(); t != nil; t = collector.Oldest() {
		collector.Drop(t)
		if err := errors.Join(show(t, nil, cdc.Incomplete(t)), play()); err != nil {
			return err
		}
	}
	if !a.json() {
		fmt.Fprintf(a.stdout, "%d transactions take effect, %d are refused\n", whole, refused)
	}
	if refused > 0 {
		return errReported
	}
	return nil
}

func (a *app) showMapped(id string, patients []cdc.PatientEntries, refusals []cdc.Refusal, bodies bool) error {
	out := mapped{Transaction: id}
	for _, p := range patients {
		s := statedOf{Patient: p.Patient}
		for _, e := range p.Entries {
			entry := mappedEntry{Method: e.Method, Resource: e.Type + "/" + e.ID}
			if bodies && e.Body != nil {
				entry.Body = e.Body
			}
			s.Entries = append(s.Entries, entry)
		}
		out.Stated = append(out.Stated, s)
	}
	for _, r := range refusals {
		out.Refused = append(out.Refused, refusedChange{r.Part.Offset, string(r.Fault.Reason), r.Error()})
	}
	if a.json() {
		return a.printJSON(out)
	}
	if id == "" {
		id = "–"
	}
	fmt.Fprintf(a.stdout, "transaction %s\n", id)
	for _, s := range out.Stated {
		for _, e := range s.Entries {
			fmt.Fprintf(a.stdout, "  %-12s %-6s %s\n", s.Patient, e.Method, e.Resource)
			if e.Body != nil {
				fmt.Fprintf(a.stdout, "    %s\n", e.Body)
			}
		}
	}
	for _, r := range out.Refused {
		fmt.Fprintf(a.stdout, "  line %d refused: %s: %s\n", r.Line, r.Reason, r.Why)
	}
	if len(out.Stated)+len(out.Refused) == 0 {
		fmt.Fprintln(a.stdout, "  states nothing")
	}
	return nil
}
