package service

import (
	"context"
	"encoding/json"
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
	// divergencesTogether bounds how many divergences are kept in one batch: each holds both sides whole, and
	// an engine that is wrong is wrong often.
	divergencesTogether = 200
	// idleAfter is how long a read of the alerts waits for the next one before it is given up for now.
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
	a := newAuditor(s)
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
	passed map[string]time.Time // explained transitions that the engine is past without an alert: since when
	gone   map[int32]gone       // by partition
}

func newAuditor(s *Service) *auditor {
	return &auditor{Service: s, passed: make(map[string]time.Time), gone: make(map[int32]gone)}
}

// gone says of which transitions retention may have removed the alerts before they were read.
type gone struct {
	before clinical.Instant // of those earlier than this: the first alert that is left
	facts  int64            // of those found before this offset of the facts log: no alert is left
}

// holds says whether a transition is one of them.
func (g gone) holds(m *archive.Mark) bool { return m.At < g.before || m.Facts < g.facts }

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
	oldest, err := a.client.GetOffset(a.topics.Alerts.Name, p.number, sarama.OffsetOldest)
	if err != nil {
		return fmt.Errorf("finding the start of the alerts: %w: %w", processor.ErrLogUnavailable, err)
	}
	end, err := a.client.GetOffset(a.topics.Alerts.Name, p.number, sarama.OffsetNewest)
	if err != nil {
		return fmt.Errorf("finding the end of the alerts: %w: %w", processor.ErrLogUnavailable, err)
	}
	if err := a.missed(ctx, p, oldest, end, engine); err != nil {
		return err
	}
	all, err := a.alerts(ctx, p, oldest, end)
	if err != nil {
		return err
	}
	if !all {
		engine = 0
	}
	return a.unanswered(p, engine)
}

// missed finds out which alerts retention has removed unread, where it may have: at the first look of this
// process, which cannot tell, and when what was to be read next is there no more.
func (a *auditor) missed(ctx context.Context, p *partition, oldest, end, engine int64) error {
	_, looked := a.gone[p.number]
	switch {
	case looked && oldest <= p.archive.State().Alerts:
		return nil
	case oldest == 0:
		a.gone[p.number] = gone{before: clinical.Never}
		return nil
	case oldest == end: // which were removed is not known, but none that the engine has yet to send
		if engine > 0 {
			a.gone[p.number] = gone{before: clinical.Never, facts: engine}
		}
		return nil
	}
	_, err := a.read(ctx, p, oldest, end, func(r *sarama.ConsumerMessage) (bool, error) {
		var t alert
		if json.Unmarshal(r.Value, &t) != nil {
			return true, nil
		}
		a.gone[p.number] = gone{before: clinical.At(t.At)}
		return false, nil
	})
	return err
}

// alerts matches those that have come since, up to the first that the machine is not yet past; all says
// whether there were no others.
func (a *auditor) alerts(ctx context.Context, p *partition, oldest, end int64) (all bool, err error) {
	state := p.archive.State()
	next := max(state.Alerts, oldest)
	if next >= end {
		return true, nil
	}
	m := newMatching(a, p)
	defer m.batch.Discard()
	n := 0
	next, err = a.read(ctx, p, next, end, func(r *sarama.ConsumerMessage) (bool, error) {
		if n++; n > alertsTogether || len(m.found) >= divergencesTogether {
			return false, nil
		}
		return m.inTurn(ctx, state, r)
	})
	if err != nil {
		return false, err
	}
	return next >= end, m.commit(next)
}

// read calls f with the alerts from an offset to the end, until it takes one no more; next is the first
// that was not taken.
func (a *auditor) read(ctx context.Context, p *partition, from, end int64, f func(*sarama.ConsumerMessage) (taken bool, err error)) (next int64, err error) {
	consumer, err := sarama.NewConsumerFromClient(a.client)
	if err != nil {
		return from, fmt.Errorf("reading the alerts: %w: %w", processor.ErrLogUnavailable, err)
	}
	records, err := consumer.ConsumePartition(a.topics.Alerts.Name, p.number, from)
	if err != nil {
		_ = consumer.Close() // it reads nothing
		return from, fmt.Errorf("reading the alerts: %w: %w", processor.ErrLogUnavailable, err)
	}
	// Closing waits for the fetch that is under way, and nobody need wait for that but Close.
	defer a.wait.Go(func() { _, _ = records.Close(), consumer.Close() }) // what was read is read
	return drain(ctx, records.Messages(), from, end, f)
}

// drain is read from a channel. When that is silent, as it is while a partition moves to another broker,
// the alerts that are missing are left for the next time: none may be passed over.
func drain(ctx context.Context, from <-chan *sarama.ConsumerMessage, next, end int64, f func(*sarama.ConsumerMessage) (taken bool, err error)) (int64, error) {
	idle := time.NewTimer(idleAfter)
	defer idle.Stop()
	for next < end {
		select {
		case <-ctx.Done():
			return next, context.Cause(ctx)
		case r, ok := <-from:
			if !ok {
				return next, fmt.Errorf("reading the alerts: %w: the reader was closed", processor.ErrLogUnavailable)
			}
			taken, err := f(r)
			if err != nil || !taken {
				return next, err
			}
			next = r.Offset + 1
			idle.Reset(idleAfter)
		case <-idle.C:
			return next, nil
		}
	}
	return next, nil
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

func newMatching(a *auditor, p *partition) *matching {
	return &matching{auditor: a, p: p, batch: p.archive.Begin(), settled: make(map[string]bool)}
}

// inTurn is alert as one of the things of which the role does one at a time.
func (m *matching) inTurn(ctx context.Context, state archive.State, r *sarama.ConsumerMessage) (taken bool, err error) {
	if !m.pace.aside(ctx) {
		return false, context.Cause(ctx)
	}
	defer m.pace.done()
	taken, err = m.alert(state, r)
	m.pace.yield(ctx)
	return taken, err
}

// alert matches one; false when it is not explained and the machine, of which the state is from before, is
// not yet past it.
func (m *matching) alert(state archive.State, r *sarama.ConsumerMessage) (taken bool, err error) {
	var t alert
	if json.Unmarshal(r.Value, &t) != nil || t.ID == "" {
		m.log.Warn("a record of the alerts topic is no alert", "partition", m.p.number, "offset", r.Offset)
		return true, nil
	}
	if m.settled[t.ID] { // it came twice
		return true, nil
	}
	entry, explained, err := m.p.archive.Explanation(t.Patient, t.ID)
	if err != nil {
		return false, err
	}
	if !explained {
		if !t.passed(state) {
			return false, nil
		}
		m.found = append(m.found, divergence{Kind: alertOnly, ID: t.ID, Patient: t.Patient, At: t.At, Alert: r.Value})
		m.settled[t.ID] = true
		return true, nil
	}
	awaited, err := m.p.archive.Awaited(t.ID)
	if err != nil {
		return false, err
	}
	if !awaited { // it came before
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
	unread, looked := a.gone[p.number]
	err := p.archive.Expected(func(m archive.Mark) error {
		switch {
		case looked && unread.holds(&m):
			expired++
			delete(a.passed, m.ID)
			b.Settle(m.ID)
		case engine > m.Facts && len(found) < divergencesTogether && a.overdue(m.ID):
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
	if block == nil {
		return 0, nil
	}
	if block.Err != sarama.ErrNoError {
		_ = a.client.RefreshCoordinator(a.topics.RulesGroup) // it may have moved
		return 0, fmt.Errorf("asking how far the rules are: %w: %w", processor.ErrLogUnavailable, block.Err)
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
