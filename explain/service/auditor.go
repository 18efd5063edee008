package service

import (
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
	// alertsTogether is how many alerts are matched in one batch.
	alertsTogether = 10_000
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
	a := &auditor{Service: s, passed: make(map[string]time.Time), oldest: make(map[int32]clinical.Instant)}
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
	oldest map[int32]clinical.Instant // by partition: the first alert that retention has left, where it has removed any
}

// partition matches one partition as far as the machine is: first the alerts that have come, each with its
// explanation, then what was explained and has no alert.
func (a *auditor) partition(ctx context.Context, p *partition) error {
	// In this order: how far the engine is before its alerts are read, and they before what has no alert, so
	// that nothing that is missing was merely not yet looked at.
	var engine int64
	if a.metrics.pendingOf(p.number) > 0 {
		var err error
		if engine, err = a.engineAt(p.number); err != nil {
			return err
		}
	}
	all, err := a.alerts(ctx, p)
	if err != nil {
		return err
	}
	if !all {
		engine = 0
	}
	return a.unanswered(p, engine)
}

// alerts matches those that have come since, up to the first that the machine is not yet past; all says
// whether there were no others.
func (a *auditor) alerts(ctx context.Context, p *partition) (all bool, err error) {
	topic := a.topics.Alerts.Name
	state := p.archive.State()
	next := state.Alerts
	oldest, err := a.client.GetOffset(topic, p.number, sarama.OffsetOldest)
	if err != nil {
		return false, fmt.Errorf("finding the start of the alerts: %w: %w", processor.ErrLogUnavailable, err)
	}
	end, err := a.client.GetOffset(topic, p.number, sarama.OffsetNewest)
	if err != nil {
		return false, fmt.Errorf("finding the end of the alerts: %w: %w", processor.ErrLogUnavailable, err)
	}
	if next = max(next, oldest); next >= end {
		return true, nil
	}
	consumer, err := sarama.NewConsumerFromClient(a.client)
	if err != nil {
		return false, fmt.Errorf("reading the alerts: %w: %w", processor.ErrLogUnavailable, err)
	}
	defer func() { _ = consumer.Close() }() // what it read is read
	records, err := consumer.ConsumePartition(topic, p.number, next)
	if err != nil {
		return false, fmt.Errorf("reading the alerts: %w: %w", processor.ErrLogUnavailable, err)
	}
	defer records.AsyncClose()
	m := matching{auditor: a, p: p, batch: p.archive.Begin(), settled: make(map[string]bool)}
	defer m.batch.Discard()
	for n := 0; next < end && n < alertsTogether; n++ {
		wait := time.NewTimer(idleAfter)
		select {
		case <-ctx.Done():
			wait.Stop()
			return false, context.Cause(ctx)
		case r, ok := <-records.Messages():
			wait.Stop()
			if !ok {
				return false, errors.New("reading the alerts: the reader was closed")
			}
			past, err := m.alert(state, r, oldest > 0)
			if err != nil {
				return false, err
			}
			if !past {
				return false, m.commit(next)
			}
			next = r.Offset + 1
		case <-wait.C:
			end = next // nothing more is there: markers of transactions leave gaps
		}
	}
	return next >= end, m.commit(next)
}

// matching is some alerts being matched.
type matching struct {
	*auditor
	p       *partition
	batch   *archive.Batch
	settled map[string]bool // in this batch
	matched int64
	found   []divergence
}

// alert matches one; false when the machine is not yet past it.
func (m *matching) alert(state archive.State, r *sarama.ConsumerMessage, removed bool) (past bool, err error) {
	var t alert
	if json.Unmarshal(r.Value, &t) != nil || t.ID == "" {
		m.log.Warn("a record of the alerts topic is no alert", "partition", m.p.number, "offset", r.Offset)
		return true, nil
	}
	at := clinical.At(t.At)
	if first, known := m.oldest[m.p.number]; removed && (!known || at < first) {
		m.oldest[m.p.number] = at
	}
	if !t.passed(state) {
		return false, nil
	}
	entry, explained, err := m.p.archive.Explanation(t.Patient, t.ID)
	if err != nil {
		return false, err
	}
	if !explained {
		m.found = append(m.found, divergence{Kind: alertOnly, ID: t.ID, Patient: t.Patient, At: t.At, Alert: r.Value})
		return true, nil
	}
	awaited, err := m.p.archive.Awaited(t.ID)
	if err != nil {
		return false, err
	}
	if !awaited || m.settled[t.ID] { // it came before
		return true, nil
	}
	e, err := record.Unmarshal(entry.Data)
	if err != nil {
		return false, err
	}
	if fields := t.differs(e); len(fields) > 0 {
		m.found = append(m.found, divergence{Kind: differs, ID: t.ID, Patient: t.Patient, At: t.At, Fields: fields, Alert: r.Value})
	} else {
		m.matched++
	}
	m.batch.Settle(t.ID)
	m.settled[t.ID] = true
	delete(m.passed, t.ID)
	return true, nil
}

// passed says whether the machine has found what it finds of the alert's instant.
func (t *alert) passed(state archive.State) bool {
	switch t.Cause.Kind {
	case processor.CauseTime:
		return state.Followed >= clinical.At(t.At) && state.Clock > clinical.At(t.At)
	case processor.CauseActivation:
		return state.Facts >= t.Cause.Offset && !state.Sweeping
	}
	return state.Facts >= t.Cause.Offset
}

func (m *matching) commit(next int64) error {
	for i := range m.found {
		if err := m.keep(m.p, m.batch, &m.found[i]); err != nil {
			return err
		}
	}
	m.batch.SetAlerts(next, m.matched)
	if err := m.batch.Commit(); err != nil {
		return err
	}
	m.metrics.matched.Add(float64(m.matched))
	for i := range m.found {
		m.tell(m.p, &m.found[i])
	}
	return nil
}

// unanswered judges what was explained and has no alert, the engine having committed the log up to an
// offset.
func (a *auditor) unanswered(p *partition, engine int64) error {
	var expired, pending int64
	var found []divergence
	b := p.archive.Begin()
	defer b.Discard()
	first, removed := a.oldest[p.number]
	err := p.archive.Expected(func(m archive.Mark) error {
		switch {
		case removed && m.At < first:
			expired++
			b.Settle(m.ID)
		case engine > m.Facts && a.overdue(m.ID):
			found = append(found, divergence{Kind: explanationOnly, ID: m.ID, Patient: m.Patient, At: m.At.Time()})
			b.Settle(m.ID)
		default:
			pending++
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range found {
		if err := a.keep(p, b, &found[i]); err != nil {
			return err
		}
	}
	if err := b.Commit(); err != nil {
		return err
	}
	a.metrics.expired.Add(float64(expired))
	a.metrics.expiredCount.Add(expired)
	a.metrics.setPending(p.number, pending)
	for i := range found {
		a.tell(p, &found[i])
	}
	return nil
}

// overdue says whether an explained transition that the engine is past has waited for its alert long
// enough.
func (a *auditor) overdue(id string) bool {
	since, known := a.passed[id]
	if !known {
		a.passed[id] = time.Now()
		return false
	}
	if time.Since(since) < a.grace(id) {
		return false
	}
	delete(a.passed, id)
	return true
}

// grace is how long a transition may wait for its alert. The mark of an id begins with what caused it.
func (a *auditor) grace(id string) time.Duration {
	if i := strings.LastIndexByte(id, '/'); strings.HasPrefix(id[i+1:], "a") {
		return sweepGrace * a.config.Grace
	}
	return a.config.Grace
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

// differs names what an alert and its explanation say differently.
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
