package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/planning"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/rules/packs"
)

// planQuery are the flags of `vigil rules plan`.
type planQuery struct {
	path, now       string
	builtin         bool
	from            *siteFlags
	histories       []string
	patient, server string
	asks            bool // a running service
	minPosition     string
	timeout         time.Duration
}

func (a *app) rulesPlanCommand() *cobra.Command {
	q := &planQuery{}
	c := &cobra.Command{
		Use:   "plan RULE (--rules PATH | --builtin | --server URL | --patient ID)",
		Short: "Show how a rule is folded: what data settles, and what stays a pointer",
		Long: `Draws the rule's tree and lists its terms: the facts each looks at, in which window, whether data alone
settles its answer or time can change it, and how many facts a read looks at. What data settles is
worked out once, as it arrives; the rest is resolved when somebody reads.

With --history it also says how the rule stands for each patient in those files, taken as vigil eval
takes them; with --patient, for one of a running service: each part's truth, and until when it holds if
nothing new is stated. --server and --patient ask about the rules that are active in that service.`,
		Example: `  vigil rules plan aki-kdigo-1 --rules packs/
  vigil rules plan aki-kdigo-1 --rules packs/ --history patient.json --now 2026-03-01T10:00:00Z
  vigil rules plan aki-kdigo-1 --patient 123`,
		Args: one("RULE"),
		RunE: func(c *cobra.Command, args []string) error {
			now, err := q.check(c.Flags().Changed("server"), c.Flags().Changed("timeout"))
			if err != nil {
				return err
			}
			var plan *planning.Plan
			if q.asks {
				plan, err = a.askPlan(c, q, args[0])
			} else {
				plan, err = a.plan(q, args[0], now)
			}
			switch {
			case err != nil:
				return err
			case a.json():
				return a.printJSON(plan)
			}
			return plan.Write(a.stdout)
		},
	}
	a.addServerFlag(c, &q.server)
	f := c.Flags()
	f.StringVar(&q.path, "rules", "", "rule pack, or directory of packs and value sets")
	f.BoolVar(&q.builtin, "builtin", false, "a rule of the packs that this program brings along")
	f.StringVar(&q.patient, "patient", "", "a patient of the running service, under the rules that are active there")
	f.StringArrayVar(&q.histories, "history", nil, "file of what is known of one or more patients; may be repeated")
	f.StringVar(&q.now, "now", "", "with --history or --patient: the instant, as 2026-03-01T10:00:00Z (default: this instant)")
	f.StringVar(&q.minPosition, "min-position", "", "with --patient: wait until the answer has seen this position, which a write returned")
	f.DurationVar(&q.timeout, "timeout", 5*time.Second, "how long to wait for --min-position")
	q.from = addSiteFlags(c, siteKeys...)
	return c
}

// check refuses flags that ask for different things, and reads the instant.
func (q *planQuery) check(serverNamed, timeoutSaid bool) (now time.Time, err error) {
	q.asks = q.patient != "" || serverNamed
	from := 0
	for _, said := range []bool{q.path != "", q.builtin, q.asks} {
		if said {
			from++
		}
	}
	switch {
	case from != 1:
		return now, misused("rules plan needs one of --rules (a rule pack or a directory of them), --builtin, and --server or --patient (a running service)")
	case q.asks && len(q.histories) > 0:
		return now, misused("--history reads files, and --server and --patient ask a running service: leave one out")
	case q.asks && q.patient == "" && q.now != "":
		return now, misused("--now says nothing without --patient")
	case q.patient == "" && (q.minPosition != "" || timeoutSaid):
		return now, misused("--min-position and --timeout say nothing without --patient")
	case q.now == "":
		return time.Now(), nil
	}
	if now, err = time.Parse(time.RFC3339Nano, q.now); err != nil {
		return now, misused("--now %s: write it as 2026-03-01T10:00:00Z", q.now)
	}
	return now, nil
}

// plan describes a rule of files, and how it stands for the patients of files.
func (a *app) plan(q *planQuery, id string, now time.Time) (*planning.Plan, error) {
	own, err := q.from.load()
	if err != nil {
		return nil, err
	}
	set, where := rules.NewSet(packs.Files()...).With(own.parameters), "the packs that this program brings along"
	if !q.builtin {
		if set, err = own.rules(q.path); err != nil {
			return nil, err
		}
		where = q.path
	}
	program, err := rules.Compile(set.Files, own.options())
	if err != nil {
		return nil, err
	}
	rule, ok := program.Rule(id)
	if !ok {
		return nil, misused("there is no rule %q in %s%s", id, where, suggestion(program, id))
	}
	plan := pointer.NewPlan(program)
	out := planning.Of(plan, rule)
	if len(q.histories) > 0 {
		out.Patients, err = a.stands(set, rule, own, q.histories, clinical.At(now))
	}
	return out, err
}

// askPlan asks a running service.
func (a *app) askPlan(c *cobra.Command, q *planQuery, rule string) (*planning.Plan, error) {
	client, err := a.newClient(q.server, 0)
	if err != nil {
		return nil, err
	}
	defer client.close()
	path := "/v1/rules/" + url.PathEscape(rule) + "/plan"
	if q.patient != "" {
		path = "/v1/patients/" + url.PathEscape(q.patient) + "/plan/" + url.PathEscape(rule)
	}
	query := url.Values{}
	if q.now != "" {
		query.Set("now", q.now)
	}
	if q.minPosition != "" {
		query.Set("min_position", q.minPosition)
		query.Set("timeout", q.timeout.String())
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	got, err := client.send(c.Context(), http.MethodGet, path, "", nil)
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, got.refused()
	}
	plan := &planning.Plan{}
	if err := json.Unmarshal(got.body, plan); err != nil {
		return nil, fmt.Errorf("reading the service's answer: %w; is %s a Vigil of this version?", err, q.server)
	}
	return plan, nil
}

// suggestion is the rule of the nearest id, in words.
func suggestion(program *rules.Program, id string) string {
	if near := rules.NearestRule(program, id); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ": vigil rules list shows them"
}

// stands says how the rule stands for each patient in the files.
func (a *app) stands(set *rules.Set, rule *rules.Rule, own site, files []string, now clinical.Instant) ([]planning.Standing, error) {
	said := newStatements(own, now)
	if err := said.read(files, a.stdin); err != nil {
		return nil, err
	}
	m, err := newMemory(own, set, processor.Observer{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = m.close() }() // nothing of it is kept
	var patients []string
	for i := range said.records {
		if rec := &said.records[i]; rec.Activation == nil {
			if err := m.apply(rec); err != nil {
				return nil, fmt.Errorf("applying what the files state: %w", err)
			}
			if rec.Patient != "" {
				patients = append(patients, rec.Patient)
			}
		}
	}
	slices.Sort(patients)
	plan, err := m.sets.Plan(set.Hash())
	if err != nil {
		return nil, err
	}
	asked, _ := plan.Program.Rule(rule.ID)
	var out []planning.Standing
	for _, id := range slices.Compact(patients) {
		p, err := m.partition.LoadAll(id)
		if err != nil {
			return nil, err
		}
		standing, err := planning.Stands(plan, asked, id, p.History, now)
		if err != nil {
			return nil, err
		}
		out = append(out, standing)
	}
	return out, nil
}
