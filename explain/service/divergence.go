package service

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
)

// The ways in which the engine and the explanations can differ.
const (
	alertOnly       = "alert-only"       // the engine says it, and it is not explained
	explanationOnly = "explanation-only" // it is explained, and the engine does not say it
	differs         = "differs"          // both say it, otherwise
)

// divergence is a transition on which the two differ. It is for whoever finds the fault: it holds data of
// the patient.
type divergence struct {
	Kind        string          `json:"kind"`
	ID          string          `json:"id"`
	Patient     string          `json:"patient"`
	Rule        string          `json:"rule"`
	RuleSet     string          `json:"ruleSet"`
	Position    string          `json:"position"` // of the facts log: what was known
	At          time.Time       `json:"at"`
	Fields      []string        `json:"fields,omitempty"` // what is said differently
	Alert       json.RawMessage `json:"alert,omitempty"`
	Explanation json.RawMessage `json:"explanation,omitempty"`

	// Of the patient's history it stands on the records up to the one offset, with a partition clock before
	// the other instant.
	zone    string // in which the rule set counts days
	through int64
	before  clinical.Instant
}

// keep completes a divergence and puts it into the archive.
func (a *auditor) keep(p *partition, b *archive.Batch, d *divergence) error {
	d.Rule = ruleOf(d.ID)
	d.through, d.before = p.archive.State().Facts, clinical.Forever
	entry, explained, err := p.archive.Explanation(d.Patient, d.ID)
	if err != nil {
		return err
	}
	if explained {
		e, err := record.Unmarshal(entry.Data)
		if err != nil {
			return err
		}
		if d.Explanation, err = e.AppendJSON(nil); err != nil {
			return err
		}
		d.RuleSet = e.RuleSet.Hash
		d.zone = e.RuleSet.Zone
		known, err := processor.ParsePosition(e.Known.Position)
		if err != nil {
			return fmt.Errorf("reading an explanation: %w", err)
		}
		d.through = known.Offset
	} else {
		var t alert
		if err := json.Unmarshal(d.Alert, &t); err != nil {
			return fmt.Errorf("reading an alert: %w", err)
		}
		d.RuleSet = t.RuleSet
		if t.Cause.Kind == processor.CauseTime { // timers come before the record that brings their instant
			d.before = d.at()
		} else {
			d.through = t.Cause.Offset
		}
	}
	d.Position = processor.Position{Log: processor.FactsLog, Partition: p.number, Offset: d.through}.String()
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("writing a divergence: %w", err)
	}
	b.Diverge(d.Rule, data)
	return nil
}

// ruleOf is the rule in the id of a transition, patient/rule/set/partition/mark. None but the patient may
// hold a slash.
func ruleOf(id string) string {
	parts := strings.Split(id, "/")
	if len(parts) < 5 {
		return ""
	}
	return parts[len(parts)-4]
}

func (d *divergence) at() clinical.Instant { return clinical.At(d.At) }

// tell counts a divergence, logs it, and keeps it as files.
func (a *auditor) tell(p *partition, d *divergence) {
	a.metrics.divergence.WithLabelValues(d.Rule).Inc()
	a.log.Error("the engine and the explanations differ", "rule", d.Rule, "position", d.Position, "kind", d.Kind, "fields", d.Fields)
	if a.deps.Divergences == "" {
		return
	}
	if err := a.files(p, d); err != nil {
		a.log.Error("a divergence could not be kept as files", "position", d.Position, "error", err)
	}
}

// files writes what is needed to run a divergence again.
func (a *auditor) files(p *partition, d *divergence) error {
	kept, err := os.ReadDir(a.deps.Divergences)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if len(kept) >= a.config.MaxDivergenceFiles { // an engine that is wrong is wrong often
		return nil
	}
	dir := filepath.Join(a.deps.Divergences, fmt.Sprintf("%s-%s-%d", d.Position, d.Rule, len(kept)+1))
	if err := os.MkdirAll(filepath.Join(dir, "rules"), 0o700); err != nil {
		return err
	}
	if set, err := a.deps.Archive.RuleSet(d.RuleSet); err == nil {
		if rec, err := clinical.UnmarshalRecord(set); err == nil && rec.Activation != nil {
			for _, f := range rec.Activation.Files {
				if err := os.WriteFile(filepath.Join(dir, "rules", filepath.Base(f.Name)), f.Data, 0o600); err != nil {
					return err
				}
			}
		}
	}
	facts, err := os.OpenFile(filepath.Join(dir, "facts.ndjson"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(facts)
	err = p.archive.History(d.Patient, d.through, func(offset int64, clock clinical.Instant, value []byte) error {
		if clock >= d.before {
			return nil
		}
		rec, err := clinical.UnmarshalRecord(value)
		if err != nil {
			return err
		}
		return lines.Encode(struct {
			FactsOffset int64            `json:"factsOffset"`
			Record      *clinical.Record `json:"record"`
		}{offset, rec})
	})
	if closed := facts.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "divergence.json"), data, 0o600); err != nil {
		return err
	}
	at, zone := d.at().String(), cmp.Or(d.zone, "UTC")
	return os.WriteFile(filepath.Join(dir, "README.txt"), []byte(fmt.Sprintf(`The engine and its audit differ about rule %s at %s (%s); divergence.json says how.

What the engine answers from these facts, and what the reference evaluator does:

  vigil eval --rules rules --zone %s --now %s --all facts.ndjson
  vigil eval --rules rules --zone %s --now %s --explain --rule %s facts.ndjson

These files hold data of a patient.
`, d.Rule, at, d.Kind, zone, at, zone, at, d.Rule)), 0o600)
}
