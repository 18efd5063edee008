package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
)

const (
	// auditEvery is how often the two sides are matched.
	auditEvery = time.Second
	// auditSlowly is the same while a partition is far from the log's end.
	auditSlowly = 10 * time.Second
	// alertsAhead bounds how many alerts wait for explanations that are yet to come.
	alertsAhead = 50_000
	// idleAfter is how long a read of the alerts waits for the next one before it is taken for the last.
	idleAfter = 2 * time.Second
	// sweepGrace is how many times longer a transition may wait that a change of the rules caused: the
	// engine moves its patients to new rules in passing.
	sweepGrace = 20
)

// alert is the engine's side of a transition, as the alerts topic has it (processor.Transition).
type alert struct {
	ID        string
	Kind      string
	Patient   string
	Rule      string
	Version   int
	RuleSet   string
	Severity  string
	At, Since time.Time
	Cause     processor.Cause
	Message   string
	Values    map[string]any
}

// audit matches what the engine said with what was explained, until ctx ends.
func (s *Service) audit(ctx context.Context) {
	a := &auditor{Service: s, passed: make(map[string]time.Time), again: make(map[string]bool), oldest: make(map[int32]clinical.Instant)}
	every := time.NewTicker(auditEvery)
	defer every.Stop()
	last := make(map[int32]time.Time)
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		for _, p := range s.partitions() {
			if p.behind() > int64(s.config.Batch) && time.Since(last[p.number]) < auditSlowly {
				continue
			}
			last[p.number] = time.Now()
			if err := a.partition(ctx, p); err != nil && ctx.Err() == nil {
				s.log.Warn("the audit could not go on; trying again", "partition", p.number, "error", err)
			}
		}
	}
}

// auditor is for the one goroutine that audits.
type auditor struct {
	*Service
	passed map[string]time.Time       // explained transitions that the engine is past without an alert: since when
	again  map[string]bool            // alerts without a mark of the other side whose explanation is there
	oldest map[int32]clinical.Instant // by partition: the first alert that retention has left, where it has removed any
}

// partition matches one partition as far as both sides are.
func (a *auditor) partition(ctx context.Context, p *partition) error {
	// In this order: what the engine is past before its alerts are read, and they before the marks, so that
	// nothing that is missing was merely not yet looked at.
	engine, err := a.engineAt(p.number)
	if err != nil {
		return err
	}
	if err := a.readAlerts(ctx, p); err != nil {
		return err
	}
	state := p.archive.State()
	alerts := make(map[string]archive.Mark)
	err = p.archive.Alerted(func(m archive.Mark) error {
		m.Data = bytes.Clone(m.Data)
		alerts[m.ID] = m
		return nil
	})
	if err != nil {
		return err
	}
	b := p.archive.Begin()
	defer b.Discard()
	var matched, expired, pending int64
	var found []divergence
	seen := make(map[string]bool)
	err = p.archive.Expected(func(m archive.Mark) error {
		mark, both := alerts[m.ID]
		switch {
		case both:
			delete(alerts, m.ID)
			delete(a.passed, m.ID)
			delete(a.again, m.ID)
			fields, err := a.compare(p, m, mark)
			if err != nil {
				return err
			}
			if len(fields) == 0 {
				matched++
			} else {
				found = append(found, divergence{Kind: differs, ID: m.ID, Patient: m.Patient, At: m.At.Time(), Fields: fields, Alert: mark.Data})
			}
		case a.oldest[p.number] != 0 && m.At < a.oldest[p.number]:
			expired++
		case engine > m.Facts:
			since, known := a.passed[m.ID]
			if !known {
				since = time.Now()
				a.passed[m.ID] = since
			}
			seen[m.ID] = true
			if time.Since(since) < a.grace(m.ID) {
				pending++
				return nil
			}
			delete(a.passed, m.ID)
			found = append(found, divergence{Kind: explanationOnly, ID: m.ID, Patient: m.Patient, At: m.At.Time()})
		default:
			pending++
			return nil
		}
		b.Settle(m.ID)
		return nil
	})
	if err != nil {
		return err
	}
	for id, mark := range alerts {
		only, settled, err := a.alertOnly(p, state, mark)
		if err != nil {
			return err
		}
		switch {
		case settled:
			b.Settle(id)
		case only:
			found = append(found, divergence{Kind: alertOnly, ID: id, Patient: mark.Patient, At: mark.At.Time(), Alert: mark.Data})
			b.Settle(id)
		default:
			pending++
		}
	}
	for i := range found {
		if err := a.keep(p, b, &found[i]); err != nil {
			return err
		}
	}
	b.SetAlerts(state.Alerts, matched)
	if err := b.Commit(); err != nil {
		return err
	}
	a.metrics.matched.Add(float64(matched))
	a.metrics.expired.Add(float64(expired))
	a.metrics.expiredCount.Add(expired)
	a.metrics.setPending(p.number, pending)
	for i := range found {
		a.tell(p, &found[i])
	}
	return nil
}

// grace is how long a transition may wait for its alert. The mark of an id begins with what caused it.
func (a *auditor) grace(id string) time.Duration {
	if i := strings.LastIndexByte(id, '/'); strings.HasPrefix(id[i+1:], "a") {
		return sweepGrace * a.config.Grace
	}
	return a.config.Grace
}

// alertOnly says whether an alert has no explanation though the machine is past it, or is settled since it
// is one that has come again: its transition has been matched before. An explanation that was made after
// the marks were looked at is no such case; the next look will find its mark.
func (a *auditor) alertOnly(p *partition, state archive.State, mark archive.Mark) (only, settled bool, err error) {
	_, explained, err := p.archive.Explanation(mark.Patient, mark.ID)
	if err != nil {
		return false, false, err
	}
	if explained {
		settled = a.again[mark.ID]
		a.again[mark.ID] = true
		if settled {
			delete(a.again, mark.ID)
		}
		return false, settled, nil
	}
	var t alert
	if err := json.Unmarshal(mark.Data, &t); err != nil {
		return true, false, nil
	}
	if t.Cause.Kind == processor.CauseTime {
		return state.Followed >= mark.At && state.Clock > mark.At, false, nil
	}
	return state.Facts >= t.Cause.Offset && !(t.Cause.Kind == processor.CauseActivation && state.Sweeping), false, nil
}

// engineAt is one past the offset up to which the engine has committed the facts log; 0 when it is not
// known.
func (a *auditor) engineAt(partition int32) (int64, error) {
	coordinator, err := a.client.Coordinator(a.topics.RulesGroup)
	if err != nil {
		return 0, fmt.Errorf("asking how far the rules are: %w: %w", processor.ErrLogUnavailable, err)
	}
	request := &sarama.OffsetFetchRequest{Version: 1, ConsumerGroup: a.topics.RulesGroup}
	request.AddPartition(a.topics.Facts.Name, partition)
	answer, err := coordinator.FetchOffset(request)
	if err != nil {
		_ = a.client.RefreshCoordinator(a.topics.RulesGroup) // the next attempt asks the one that it finds
		return 0, fmt.Errorf("asking how far the rules are: %w: %w", processor.ErrLogUnavailable, err)
	}
	block := answer.GetBlock(a.topics.Facts.Name, partition)
	if block == nil || block.Err != sarama.ErrNoError {
		return 0, nil
	}
	return max(0, block.Offset), nil
}

// readAlerts marks the alerts that have come since, unless too many wait already.
func (a *auditor) readAlerts(ctx context.Context, p *partition) error {
	topic := a.topics.Alerts.Name
	next := p.archive.State().Alerts
	oldest, err := a.client.GetOffset(topic, p.number, sarama.OffsetOldest)
	if err != nil {
		return fmt.Errorf("finding the start of the alerts: %w: %w", processor.ErrLogUnavailable, err)
	}
	end, err := a.client.GetOffset(topic, p.number, sarama.OffsetNewest)
	if err != nil {
		return fmt.Errorf("finding the end of the alerts: %w: %w", processor.ErrLogUnavailable, err)
	}
	next = max(next, oldest)
	if next >= end || a.metrics.pendingOf(p.number) > alertsAhead && p.behind() > 0 {
		return nil
	}
	consumer, err := sarama.NewConsumerFromClient(a.client)
	if err != nil {
		return fmt.Errorf("reading the alerts: %w: %w", processor.ErrLogUnavailable, err)
	}
	defer func() { _ = consumer.Close() }() // what it read is read
	records, err := consumer.ConsumePartition(topic, p.number, next)
	if err != nil {
		return fmt.Errorf("reading the alerts: %w: %w", processor.ErrLogUnavailable, err)
	}
	defer records.AsyncClose()
	b := p.archive.Begin()
	defer b.Discard()
	for n := 0; next < end && n < alertsAhead; n++ {
		wait := time.NewTimer(idleAfter)
		select {
		case <-ctx.Done():
			wait.Stop()
			return context.Cause(ctx)
		case m, ok := <-records.Messages():
			wait.Stop()
			if !ok {
				return errors.New("reading the alerts: the reader was closed")
			}
			next = m.Offset + 1
			a.mark(p, b, m, oldest)
		case <-wait.C:
			end = next // nothing more is there: markers of transactions leave gaps
		}
	}
	b.SetAlerts(next, 0)
	return b.Commit()
}

func (a *auditor) mark(p *partition, b *archive.Batch, m *sarama.ConsumerMessage, oldest int64) {
	var t alert
	if json.Unmarshal(m.Value, &t) != nil || t.ID == "" {
		a.log.Warn("a record of the alerts topic is no alert", "partition", p.number, "offset", m.Offset)
		return
	}
	at := clinical.At(t.At)
	if oldest > 0 && (a.oldest[p.number] == 0 || at < a.oldest[p.number]) {
		a.oldest[p.number] = at
	}
	b.Alert(archive.Mark{ID: t.ID, Patient: t.Patient, Facts: t.Cause.Offset, At: at, Data: m.Value})
}

// compare names what an alert and the explanation of the same id say differently.
func (a *auditor) compare(p *partition, expected, mark archive.Mark) ([]string, error) {
	entry, ok, err := p.archive.Explanation(expected.Patient, expected.ID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return []string{"explanation"}, nil
	}
	e, err := record.Unmarshal(entry.Data)
	if err != nil {
		return nil, err
	}
	var t alert
	if err := json.Unmarshal(mark.Data, &t); err != nil {
		return []string{"alert"}, nil
	}
	return t.differs(e), nil
}

func (t *alert) differs(e *record.Explanation) (fields []string) {
	note := func(name string, same bool) {
		if !same {
			fields = append(fields, name)
		}
	}
	note("patient", t.Patient == e.Patient)
	note("rule", t.Rule == e.Rule.ID)
	note("kind", t.Kind == string(e.Kind))
	note("at", clinical.At(t.At) == clinical.Instant(e.At))
	note("since", e.Since != nil && clinical.At(t.Since) == clinical.Instant(*e.Since))
	note("ruleSet", t.RuleSet == e.RuleSet.Hash)
	note("severity", t.Severity == e.Rule.Severity)
	note("cause", e.Cause != nil && t.Cause.Kind == string(e.Cause.Kind))
	if t.Version == 0 { // the rule is in the set no more, and the engine says nothing else of it
		return fields
	}
	note("version", t.Version == e.Rule.Version)
	note("message", t.Kind != processor.Fired || t.Message == e.Message)
	for source, value := range t.Values {
		i := slices.IndexFunc(e.Terms, func(x record.Term) bool { return x.Source == source })
		note("values."+source, i >= 0 && sameValue(value, e.Terms[i].Value))
	}
	slices.Sort(fields)
	return fields
}

// sameValue compares a value as the alert's JSON has it. Sums may have been added in another order.
func sameValue(alerted any, explained record.Value) bool {
	text, err := rules.Value(explained).MarshalJSON()
	if err != nil {
		return false
	}
	var v any
	if json.Unmarshal(text, &v) != nil {
		return false
	}
	x, isNumber := alerted.(float64)
	y, alsoNumber := v.(float64)
	if isNumber && alsoNumber {
		return rules.Compare(x, y) == 0
	}
	return alerted == v
}
