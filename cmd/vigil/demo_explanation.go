package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/explain/render"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/internal/clinical"
)

// demoPatience is how long the demo waits for the explanations to come to the end of the log.
const demoPatience = 2 * time.Minute

// explanation shows what the audit found, and why one alert of the worklist is active.
func (d *demo) explanation(ctx context.Context) error {
	why := d.engine.explanations
	status := why.Status()
	for end := time.Now().Add(demoPatience); !status.Ready || why.service.Behind() > 0 || status.Pending > 0 || status.Explained == 0; status = why.Status() {
		if time.Now().After(end) {
			return errors.New("the explanations have not come to the end of the log")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	d.heading("Why: the log replayed by the reference evaluator gives the same %s (%s matched, %s)",
		plural(int(status.Explained), "transition"), grouped(int(status.Matched)), plural(int(status.Divergences), "divergence"))
	reads := &reads{engine: d.engine, reader: d.reader}
	page, err := reads.Worklist(ctx, api.WorklistQuery{Limit: math.MaxInt32})
	if err != nil {
		return fmt.Errorf("reading the worklist: %w", err)
	}
	if len(page.Alerts) == 0 {
		d.printf("  Nothing is active here: more patients (--patients) or another length (--hours) show an explanation.\n")
		return nil
	}
	// A rise of creatinine is what shows best how a window is explained.
	one := page.Alerts[max(0, slices.IndexFunc(page.Alerts, func(a api.WorklistAlert) bool { return strings.HasPrefix(a.Rule, "aki") }))]
	d.explained = one
	e, err := why.Explain(ctx, replay.Question{Patient: one.Patient, Rule: one.Rule, At: clinical.At(one.Since), HasAt: true})
	if err != nil {
		return fmt.Errorf("explaining an alert: %w", err)
	}
	return render.Text(d.stdout, e, d.textOptions(e))
}
