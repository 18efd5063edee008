package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

func (a *app) evalCommand() *cobra.Command {
	var path, at, rule string
	var from *siteFlags
	var all, why bool
	c := &cobra.Command{
		Use:   "eval --rules PATH FILE…",
		Short: "Answer from files, without a service",
		Long: `Runs the same engine over the given files, in memory, and prints what the service would answer for each
patient in them. Files are as vigil ingest takes them. What they state is taken to have come in the
order of its clinical time. Files of records of a facts log, such as the audit keeps of a divergence,
are applied as they are: lines of {"factsOffset":812,"record":{…}}.

With --explain it says why instead, by the reference evaluator alone: of each patient every rule that is
true or unknown.`,
		Example: `  vigil eval --rules packs/ patient.json
  vigil eval --rules packs/ --now 2026-03-01T10:00:00Z --all export.ndjson.gz
  vigil eval --rules packs/ --output json - < patient.json
  vigil eval --rules packs/ --explain --rule aki-kdigo-1 patient.json`,
		Args: some("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			if path == "" {
				return misused("eval needs --rules: name a rule pack or a directory of them")
			}
			if rule != "" && !why {
				return misused("--rule goes with --explain: add it")
			}
			own, err := from.load()
			if err != nil {
				return err
			}
			now := time.Now()
			if at != "" {
				if now, err = time.Parse(time.RFC3339Nano, at); err != nil {
					return misused("--now %s: write it as 2026-03-01T10:00:00Z", at)
				}
			}
			set, err := own.rules(path)
			if err != nil {
				return err
			}
			said := newStatements(own, clinical.At(now))
			if err := said.read(args, a.stdin); err != nil {
				return err
			}
			if why {
				err = a.explainFiles(c.Context(), set, own, said, explaining{now: clinical.At(now), rule: rule, all: all})
			} else {
				err = a.answerFiles(c.Context(), set, own, said, clinical.At(now), all)
			}
			if err != nil {
				return err
			}
			if said.refused.refused > 0 {
				result := said.refused.summary(0)
				result.print(a.stderr)
				return errReported
			}
			return nil
		},
	}
	c.Flags().StringVar(&path, "rules", "", "rule pack, or directory of packs and value sets")
	c.Flags().StringVar(&at, "now", "", "the instant to answer for, as 2026-03-01T10:00:00Z (default: this instant)")
	from = addSiteFlags(c, siteKeys...)
	c.Flags().BoolVar(&all, "all", false, "show every rule's truth; with --explain, explain every rule")
	c.Flags().BoolVar(&why, "explain", false, "say why, of every rule that is true or unknown")
	c.Flags().StringVar(&rule, "rule", "", "with --explain: only this rule, whatever it is")
	return c
}

// answerFiles prints the answer for each patient.
func (a *app) answerFiles(ctx context.Context, set *rules.Set, own site, said *statements, now clinical.Instant, all bool) error {
	answers, err := evaluate(ctx, set, own, said.records, now, all)
	if err != nil {
		return err
	}
	for i := range answers {
		if err := a.printAnswer(&answers[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printAnswer(answer *store.Answer) error {
	if a.json() {
		return a.printJSON(answer)
	}
	s, err := show(answer)
	if err != nil {
		return err
	}
	s.print(a.stdout)
	return nil
}

// evaluate applies the records in their order and answers for every patient in them, by id, at now. Rules
// that the records bring along give way to the set.
func evaluate(ctx context.Context, set *rules.Set, own site, records []clinical.Record, now clinical.Instant, all bool) (_ []store.Answer, err error) {
	m, err := newMemory(own, set, processor.Observer{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	var patients []string
	for i := range records {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if records[i].Activation != nil {
			continue
		}
		if err := m.apply(&records[i]); err != nil {
			return nil, fmt.Errorf("applying what the files state: %w", err)
		}
		if records[i].Patient != "" {
			patients = append(patients, records[i].Patient)
		}
	}
	slices.Sort(patients)
	reader := m.reader()
	var answers []store.Answer
	for _, patient := range slices.Compact(patients) {
		answer, err := reader.Active(ctx, patient, store.ReadOptions{Now: now, All: all})
		if err != nil {
			return nil, fmt.Errorf("answering: %w", err)
		}
		answers = append(answers, answer)
	}
	return answers, nil
}
