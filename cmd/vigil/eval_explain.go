package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/render"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
)

// explaining is what eval --explain is to explain.
type explaining struct {
	now  clinical.Instant
	rule string // only this one; "": those that are true or unknown
	all  bool   // and those that are false
}

// filesTopic stands for the log of what files state.
const filesTopic = "files"

// explainFiles prints why rules are as they are of each patient, by id, by the reference evaluator alone.
func (a *app) explainFiles(ctx context.Context, set *rules.Set, own site, said *statements, x explaining) error {
	program, err := rules.Compile(set.Files, own.options())
	if err != nil {
		return err
	}
	asked := program.Rules
	if x.rule != "" {
		rule, ok := program.Rule(x.rule)
		if !ok {
			return &replay.UnknownRule{Rule: x.rule, Nearest: rules.NearestRule(program, x.rule)}
		}
		asked = []*rules.Rule{rule}
	}
	reference := explain.NewReference(program)
	ledgers := map[string]*explain.Ledger{}
	frame := explain.Frame{Topic: filesTopic, Facts: replay.DefaultFacts,
		RuleSet: record.RuleSet{Hash: program.Hash, Zone: program.Zone.String()}}
	clock := clinical.Never
	for i := range said.records {
		rec := &said.records[i]
		clock = max(clock, rec.Recorded)
		if rec.Patient == "" {
			continue
		}
		if ledgers[rec.Patient] == nil {
			ledgers[rec.Patient] = &explain.Ledger{}
		}
		ledgers[rec.Patient].Apply(rec, said.offset(i))
		frame.Known.Position = processor.Position{Log: processor.FactsLog, Offset: said.offset(i)}.String()
	}
	frame.Known.Clock = record.Instant(clock)
	for _, patient := range slices.Sorted(maps.Keys(ledgers)) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		frame.Patient = patient
		history := ledgers[patient].History()
		shown := 0
		for _, rule := range asked {
			about := reference.Each(rule, history, x.now)
			if len(about) == 0 { // there is no period, and to say so is an answer, too
				about = append(about, reference)
			}
			for _, reference := range about {
				if x.rule == "" && !x.all && reference.Truth(rule, history, x.now) == rules.False {
					continue
				}
				if err := a.printExplanation(reference.Answer(rule, history, x.now, x.now+replay.Ahead, frame)); err != nil {
					return err
				}
				shown++
			}
		}
		if shown == 0 && !a.json() {
			fmt.Fprintf(a.stdout, "patient %s at %s: no rule is true or unknown; --all explains those that are false\n\n", patient, x.now)
		}
	}
	return nil
}

func (a *app) printExplanation(e *record.Explanation) error {
	if a.json() {
		return a.printJSON(e)
	}
	if err := render.Text(a.stdout, e, a.textOptions(e)); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.stdout)
	return err
}
