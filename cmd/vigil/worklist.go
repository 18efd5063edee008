package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// Worklist implements api.Worklist: what the partitions have that this process owns and, unless another asks
// for these alone, what every other instance has. A partition whose owner does not answer is read from a copy
// here, or else named as missing. All partitions order their entries alike, so that one cursor, the last
// entry's place in that order, stands for a place in each.
func (r *reads) Worklist(ctx context.Context, q api.WorklistQuery) (api.WorklistPage, error) {
	after, err := parseCursor(q.Cursor)
	if err != nil {
		return api.WorklistPage{}, err
	}
	filter := store.Filter{Rule: q.Rule}
	if severity, ok := severityOf(q.Severity); ok {
		filter.Severity = &severity
	}
	m := merge{limit: q.Limit, covered: make(map[int32]bool)}
	if err := r.add(ctx, &m, filter, after, func(has processor.Copy) bool { return has.Owned }); err != nil {
		return api.WorklistPage{}, err
	}
	if q.Here {
		page := m.page()
		page.Partitions = slices.Sorted(maps.Keys(m.covered))
		return page, nil
	}
	for _, page := range askAll(r.engine.cluster.Others(api.ForRules), q.Ask) {
		m.take(page)
	}
	if err := r.add(ctx, &m, filter, after, func(processor.Copy) bool { return true }); err != nil {
		return api.WorklistPage{}, err
	}
	if len(m.covered) == 0 {
		if r.reader == nil {
			return api.WorklistPage{}, api.ErrNotServed
		}
		return api.WorklistPage{}, api.ErrCatchingUp
	}
	page := m.page()
	for n := range int32(r.engine.config.Partitions) {
		if !m.covered[n] {
			page.MissingPartitions = append(page.MissingPartitions, n)
		}
	}
	return page, nil
}

// add adds what the partitions have that are not covered yet, as far as this process has them in such a way.
func (r *reads) add(ctx context.Context, m *merge, filter store.Filter, after store.Cursor, may func(processor.Copy) bool) error {
	plan := r.Plan()
	for n := range int32(r.engine.config.Partitions) {
		if has, err := r.has(n); err != nil || m.covered[n] || !may(has) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		// One more than asked for shows whether there is a next page.
		entries, err := r.engine.store.Worklist(n, filter, after, m.limit+1)
		if err != nil {
			return err
		}
		m.covered[n] = true
		for _, e := range entries {
			m.alerts = append(m.alerts, shown(e, plan))
		}
	}
	return nil
}

// shown is an entry as the service shows it.
func shown(e store.WorklistEntry, plan *pointer.Plan) api.WorklistAlert {
	a := api.WorklistAlert{Patient: e.Patient, Rule: e.Rule, Severity: e.Severity.String(), Since: e.Since.Time()}
	if e.Period != clinical.Never {
		begins := e.Period.Time()
		a.Period = &begins
	}
	if plan != nil {
		if rule, ok := plan.Program.Rule(e.Rule); ok {
			a.Title = rule.Title
		}
	}
	return a
}

// askAll asks all at once. Who does not answer is left out.
func askAll(urls []string, ask func(url string) (api.WorklistPage, error)) []api.WorklistPage {
	pages := make([]api.WorklistPage, len(urls))
	var joined sync.WaitGroup
	for i, url := range urls {
		joined.Go(func() {
			if page, err := ask(url); err == nil {
				pages[i] = page
			}
		})
	}
	joined.Wait()
	return pages
}

// merge puts pages of several partitions together.
type merge struct {
	limit   int
	covered map[int32]bool
	alerts  []api.WorklistAlert
	more    bool // some page had a next one
}

// take adds another instance's page. A partition that has just moved may come from two of them; what both
// say is there once.
func (m *merge) take(page api.WorklistPage) {
	for _, n := range page.Partitions {
		m.covered[n] = true
	}
	m.alerts = append(m.alerts, page.Alerts...)
	m.more = m.more || page.Next != ""
}

func (m *merge) page() api.WorklistPage {
	slices.SortFunc(m.alerts, compareAlerts)
	m.alerts = slices.CompactFunc(m.alerts, func(x, y api.WorklistAlert) bool { return compareAlerts(x, y) == 0 })
	page := api.WorklistPage{Alerts: m.alerts}
	if m.more || len(m.alerts) > m.limit {
		page.Alerts = m.alerts[:min(len(m.alerts), m.limit)]
		if n := len(page.Alerts); n > 0 {
			page.Next = formatCursor(cursorOf(page.Alerts[n-1]))
		}
	}
	return page
}

// cursorOf is the place of an alert in the order of all.
func cursorOf(a api.WorklistAlert) store.Cursor {
	severity, _ := severityOf(a.Severity)
	c := store.Cursor{Severity: severity, Rule: a.Rule, Patient: a.Patient, Period: clinical.Never}
	if a.Period != nil {
		c.Period = clinical.At(*a.Period)
	}
	return c
}

// compareAlerts orders as the store does: the most severe first, then by rule, patient and period.
func compareAlerts(a, b api.WorklistAlert) int {
	x, y := cursorOf(a), cursorOf(b)
	return cmp.Or(cmp.Compare(y.Severity, x.Severity), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Patient, y.Patient), cmp.Compare(x.Period, y.Period))
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
