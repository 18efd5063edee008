package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// Worklist implements api.Worklist over the partitions that this process owns. All partitions order their
// entries alike, so that one cursor, the last entry's place in that order, stands for a place in each.
func (r *reads) Worklist(ctx context.Context, q api.WorklistQuery) (api.WorklistPage, error) {
	var page api.WorklistPage
	if r.reader == nil {
		return page, api.ErrNotServed
	}
	after, err := parseCursor(q.Cursor)
	if err != nil {
		return page, err
	}
	filter := store.Filter{Rule: q.Rule}
	if severity, ok := severityOf(q.Severity); ok {
		filter.Severity = &severity
	}
	var entries []store.WorklistEntry
	owned := 0
	for n := range int32(r.engine.config.Partitions) {
		if r.owned(n) != nil {
			continue
		}
		owned++
		if err := ctx.Err(); err != nil {
			return page, err
		}
		// One more than asked for shows whether there is a next page.
		some, err := r.engine.store.Worklist(n, filter, after, q.Limit+1)
		if err != nil {
			return page, err
		}
		entries = append(entries, some...)
	}
	if owned == 0 {
		return page, api.ErrCatchingUp
	}
	slices.SortFunc(entries, func(x, y store.WorklistEntry) int {
		return cmp.Or(cmp.Compare(y.Severity, x.Severity), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Patient, y.Patient), cmp.Compare(x.Period, y.Period))
	})
	if len(entries) > q.Limit {
		entries = entries[:q.Limit]
		page.Next = formatCursor(entries[q.Limit-1].Cursor())
	}
	plan := r.Plan()
	page.Alerts = make([]api.WorklistAlert, len(entries))
	for i, e := range entries {
		page.Alerts[i] = api.WorklistAlert{Patient: e.Patient, Rule: e.Rule, Severity: e.Severity.String(), Since: e.Since.Time()}
		if e.Period != clinical.Never {
			begins := e.Period.Time()
			page.Alerts[i].Period = &begins
		}
		if plan == nil {
			continue
		}
		if rule, ok := plan.Program.Rule(e.Rule); ok {
			page.Alerts[i].Title = rule.Title
		}
	}
	return page, nil
}

func severityOf(name string) (rules.Severity, bool) {
	for _, s := range []rules.Severity{rules.Info, rules.Warning, rules.Critical} {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}

// formatCursor writes a cursor as it stands in a URL.
func formatCursor(c store.Cursor) string {
	// Numbers and strings cannot fail to marshal.
	data, _ := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(data)
}

func parseCursor(text string) (store.Cursor, error) {
	var c store.Cursor
	if text == "" {
		return c, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(data, &c) != nil || c.Severity > rules.Critical {
		return store.Cursor{}, api.ErrBadCursor
	}
	return c, nil
}
