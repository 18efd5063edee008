package service

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
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
	Position    string          `json:"position"` // up to which the facts log was followed
	At          time.Time       `json:"at"`
	Fields      []string        `json:"fields,omitempty"` // what is said differently
	Alert       json.RawMessage `json:"alert,omitempty"`
	Explanation json.RawMessage `json:"explanation,omitempty"`

	through int64
}

// keptFiles bounds how many divergences are kept as files: an engine that is wrong is wrong often.
const keptFiles = 100

// keep completes a divergence and puts it into the archive.
func (a *auditor) keep(p *partition, b *archive.Batch, d *divergence) error {
	// An id is patient/rule/set/partition/mark, and neither of the first two holds a slash.
	if parts := strings.Split(d.ID, "/"); len(parts) == 5 {
		d.Rule = parts[1]
	}
	state := p.archive.State()
	d.through = state.Facts
	d.Position = fmt.Sprintf("f%d.%d", p.number, state.Facts)
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
		d.RuleSet, d.Position = e.RuleSet.Hash, e.Known.Position
	} else {
		var t alert
		if json.Unmarshal(d.Alert, &t) == nil {
			d.RuleSet = t.RuleSet
		}
	}
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("writing a divergence: %w", err)
	}
	b.Diverge(d.Rule, data)
	return nil
}

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
	if len(kept) >= keptFiles {
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
	err = p.archive.History(d.Patient, min(d.through, math.MaxInt64), func(offset int64, _ clinical.Instant, value []byte) error {
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
	at := clinical.At(d.At).String()
	return os.WriteFile(filepath.Join(dir, "README.txt"), []byte(fmt.Sprintf(`The engine and its audit differ about rule %s at %s (%s); divergence.json says how.

What the engine answers from these facts, and what the reference evaluator does:

  vigil eval --rules rules --now %s --all facts.ndjson
  vigil eval --rules rules --now %s --explain --rule %s facts.ndjson

These files hold data of a patient.
`, d.Rule, at, d.Kind, at, at, d.Rule)), 0o600)
}
