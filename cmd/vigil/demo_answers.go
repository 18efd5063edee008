package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// demoListed is how many alerts of the worklist are shown.
const demoListed = 12

// worklist shows what is active across patients: the most severe first, of those the latest.
func (d *demo) worklist(ctx context.Context) error {
	reads := &reads{engine: d.engine, reader: d.reader}
	page, err := reads.Worklist(ctx, api.WorklistQuery{Limit: math.MaxInt32})
	if err != nil {
		return fmt.Errorf("reading the worklist: %w", err)
	}
	of, patients := map[string]int{}, map[string]bool{}
	for _, a := range page.Alerts {
		of[a.Severity]++
		patients[a.Patient] = true
	}
	d.heading("Worklist: %s of %s (%s critical, %s warning, %s info)", plural(len(page.Alerts), "active alert"),
		plural(len(patients), "patient"), grouped(of["critical"]), grouped(of["warning"]), grouped(of["info"]))
	slices.SortStableFunc(page.Alerts, func(x, y api.WorklistAlert) int {
		sx, _ := severityOf(x.Severity)
		sy, _ := severityOf(y.Severity)
		return cmp.Or(cmp.Compare(sy, sx), y.Since.Compare(x.Since))
	})
	for _, a := range page.Alerts[:min(demoListed, len(page.Alerts))] {
		answer, err := d.reader.Active(ctx, a.Patient, store.ReadOptions{})
		if err != nil {
			return fmt.Errorf("reading an answer of the worklist: %w", err)
		}
		d.printf("  %-8s  %-10s  since %s  %s\n", a.Severity, a.Patient, short(a.Since), a.Title)
		d.indented(12, saysOf(&answer, a.Rule))
	}
	if more := len(page.Alerts) - demoListed; more > 0 {
		d.printf("  … and %s more\n", grouped(more))
	}
	return nil
}

// turn is an instant at which nothing but time raises or clears an alert of a patient.
type turn struct {
	patient string
	rule    *rules.Rule
	at      clinical.Instant
	raised  bool
	others  int // alerts that are active beside it
}

// demoHorizon is how far ahead of the last data turns are looked for.
const demoHorizon = clinical.Instant(24 * 60 * 60 * 1000)

// turns finds a patient's turns by asking the engine: now, then at the instant until which that answer
// holds, and so on.
func (d *demo) turns(patient string) (found []turn, err error) {
	before, err := d.reader.Read(patient, d.now)
	if err != nil || before.Plan == nil {
		return nil, err
	}
	for before.Until < d.now+demoHorizon {
		after, err := d.reader.Read(patient, before.Until)
		if err != nil {
			return nil, err
		}
		active := 0
		first := len(found)
		for i, rule := range after.Plan.Program.Rules {
			was, is := before.Holds(int32(i)), after.Holds(int32(i))
			if is {
				active++
			}
			if was != is {
				found = append(found, turn{patient: patient, rule: rule, at: after.Now, raised: is})
			}
		}
		for i := range found[first:] {
			t := &found[first+i]
			if t.others = active; t.raised {
				t.others--
			}
		}
		before = after
	}
	return found, nil
}

// timeAlone shows a patient in whom time alone raises an alert, and one in whom it clears one.
func (d *demo) timeAlone(ctx context.Context) error {
	var raised, cleared []turn
	for _, p := range d.patients {
		if err := ctx.Err(); err != nil {
			return err
		}
		found, err := d.turns(p)
		if err != nil {
			return fmt.Errorf("asking ahead: %w", err)
		}
		for _, t := range found {
			if t.raised {
				raised = append(raised, t)
			} else {
				cleared = append(cleared, t)
			}
		}
	}
	d.heading("From here on nothing arrives, only time passes: within a day it raises %s and clears %s",
		plural(len(raised), "alert"), grouped(len(cleared)))
	for _, kind := range []struct {
		word  string
		turns []turn
	}{{"raised", raised}, {"cleared", cleared}} {
		if len(kind.turns) == 0 {
			d.printf("  None was %s here: more patients (--patients) or another length (--hours) show one.\n", kind.word)
			continue
		}
		plainest := slices.MinFunc(kind.turns, d.plainer)
		if err := d.show(ctx, kind.word, plainest); err != nil {
			return err
		}
		if d.example.patient == "" {
			d.example = plainest
		}
	}
	return nil
}

// plainer puts first what shows best what time does: a rule not shown yet, of some severity, with few
// terms and little else beside it, and soon.
func (d *demo) plainer(x, y turn) int {
	costs := func(t turn) int {
		n := len(t.rule.Terms)
		if t.rule.Severity == rules.Info {
			n += 10
		}
		if t.rule == d.example.rule {
			n += 20
		}
		return n
	}
	return cmp.Or(cmp.Compare(costs(x), costs(y)), cmp.Compare(x.others, y.others), cmp.Compare(x.at, y.at),
		strings.Compare(x.patient, y.patient))
}

// show asks for one rule of one patient at instants around a turn.
func (d *demo) show(ctx context.Context, word string, t turn) error {
	d.printf("\n  Time alone %s: %s (%s), patient %s\n", word, t.rule.Title, t.rule.ID, t.patient)
	d.printf("    %-23s  %-8s  %-23s  %s\n", "asked with now=", "answer", "holds until", "log position")
	const millisecond, hour = 1, 60 * 60 * 1000
	said := ""
	for _, now := range []clinical.Instant{d.now, t.at - millisecond, t.at, t.at + hour} {
		a, err := d.reader.Active(ctx, t.patient, store.ReadOptions{Now: now, All: true})
		if err != nil {
			return fmt.Errorf("asking at another instant: %w", err)
		}
		until := "new data comes"
		s := a.Rules[t.rule.Index]
		if s.ValidUntil != nil {
			until = exact(clinical.At(*s.ValidUntil))
		}
		d.printf("    %-23s  %-8s  %-23s  %s\n", exact(now), s.Truth, until, a.Position)
		if says := saysOf(&a, t.rule.ID); says != said {
			d.indented(29, says)
			said = says
		}
	}
	return nil
}

// saysOf is what an answer has to say about a rule: the message of one that is true, what is missing for
// one that is unknown.
func saysOf(a *store.Answer, rule string) string {
	for _, alert := range a.Alerts {
		if alert.Rule == rule {
			return alert.Message
		}
	}
	for _, u := range a.Unknown {
		if u.Rule == rule {
			return "Missing: " + strings.Join(u.Missing, ", ")
		}
	}
	return ""
}
