package processor

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// The two kinds of transition.
const (
	Fired   = "fired"
	Cleared = "cleared"
)

// What can cause a transition.
const (
	CauseFact       = "fact"       // a record about the patient
	CauseTime       = "time"       // nothing but the passing of time
	CauseActivation = "activation" // a change of the rule set
)

// Cause says why a transition came about. Offset is that of the facts record (fact, activation).
type Cause struct {
	Kind   string `json:"kind"`
	Offset int64  `json:"offset,omitempty"`
}

// Transition is a rule's truth for a patient changing at an instant: one message on the alerts topic,
// keyed by the patient, or for one of the patient's periods, which begins at Period. ID is made of what caused it, so that the same transition produced twice has the
// same ID and a consumer can drop repeats.
type Transition struct {
	ID        string                 `json:"id"`
	Kind      string                 `json:"kind"`
	Patient   string                 `json:"patient"`
	Rule      string                 `json:"rule"`
	Version   int                    `json:"version,omitempty"`
	RuleSet   string                 `json:"ruleSet"`
	Title     string                 `json:"title,omitempty"`
	ForEach   string                 `json:"forEach,omitempty"` // the input whose period it is
	Period    *time.Time             `json:"period,omitempty"`
	Severity  string                 `json:"severity"`
	At        time.Time              `json:"at"`
	Since     time.Time              `json:"since"` // when the episode began: equal to At when fired
	Cause     Cause                  `json:"cause"`
	Partition int32                  `json:"partition"`
	Message   string                 `json:"message,omitempty"`
	Values    map[string]rules.Value `json:"values,omitempty"`
}

func (m *Machine) transition(p *store.Patient, rule string, period clinical.Instant, kind string, at, since clinical.Instant, c Cause) *Transition {
	var mark string
	switch c.Kind {
	case CauseTime:
		mark = "t" + strconv.FormatInt(int64(at), 10)
	case CauseActivation:
		mark = "a" + strconv.FormatInt(c.Offset, 10)
	default:
		mark = "f" + strconv.FormatInt(c.Offset, 10)
	}
	t := &Transition{
		ID:   fmt.Sprintf("%s/%s/%.12s/%d/%s", p.ID, rule, m.set, m.partition, mark),
		Kind: kind, Patient: p.ID, Rule: rule, RuleSet: m.set, At: at.Time(), Since: since.Time(), Cause: c, Partition: m.partition,
	}
	if period != clinical.Never {
		begins := period.Time()
		t.ID, t.Period = t.ID+"/p"+strconv.FormatInt(int64(period), 10), &begins
	}
	return t
}

// describe adds what the rule says and the values it saw.
func (m *Machine) describe(t *Transition, rule *rules.Rule, period clinical.Instant, p *store.Patient, at clinical.Instant) {
	t.Version, t.Title, t.Severity = rule.Version, rule.Title, rule.Severity.String()
	t.ForEach = m.plan.Program.ForEach(rule)
	terms := rule.Terms
	if rule.Message != nil {
		terms = append(terms[:len(terms):len(terms)], rule.Message.Terms...)
	}
	values, _ := m.plan.Values(rule, period, terms, p.History, at)
	if rule.Message != nil && t.Kind == Fired {
		t.Message = rule.Message.Render(values)
	}
	t.Values = make(map[string]rules.Value, len(rule.Terms))
	for _, i := range rule.Terms {
		t.Values[m.plan.Program.Terms[i].Source] = values[i]
	}
}

func (m *Machine) stage(b *store.Batch, t *Transition) error {
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("writing a transition of rule %s: %w", t.Rule, err)
	}
	b.Outbox(t.Patient, t.ID, body)
	if m.observe.Transition != nil {
		m.observe.Transition(t)
	}
	return nil
}
