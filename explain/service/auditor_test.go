package service

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
)

// answer lets the auditor match alerts in one batch; taken is how many it took.
func (b *bench) answer(a *auditor, alerts ...processor.Transition) (taken int) {
	b.Helper()
	state := b.part.archive.State()
	m := newMatching(a, b.part)
	defer m.batch.Discard()
	for i := range alerts {
		text, err := json.Marshal(alerts[i])
		require.NoError(b, err)
		ok, err := m.alert(state, &sarama.ConsumerMessage{Value: text})
		require.NoError(b, err)
		if !ok {
			break
		}
		taken++
	}
	require.NoError(b, m.commit(state.Alerts+int64(taken)))
	return taken
}

func (b *bench) kinds() map[string]int {
	kinds := map[string]int{}
	for _, d := range b.divergences() {
		kinds[d.Kind]++
	}
	return kinds
}

func TestWhatAnAlertSaysOtherwiseIsNamed(t *testing.T) {
	t.Parallel()
	const value = "creatinine.last('48h')"
	for name, c := range map[string]struct {
		edit   func(*processor.Transition)
		fields []string
	}{
		"nothing":                        {func(*processor.Transition) {}, nil},
		"a sum in another order":         {func(a *processor.Transition) { a.Values[value] = rules.NumberOf(1.9 * (1 + 1e-12)) }, nil},
		"a value":                        {func(a *processor.Transition) { a.Values[value] = rules.NumberOf(1.9001) }, []string{"values." + value}},
		"a value of another type":        {func(a *processor.Transition) { a.Values[value] = rules.BoolOf(true) }, []string{"values." + value}},
		"a value that is missing":        {func(a *processor.Transition) { a.Values[value] = rules.Value{} }, []string{"values." + value}},
		"a question that is not asked":   {func(a *processor.Transition) { a.Values["other.count()"] = rules.NumberOf(1) }, []string{"values.other.count()"}},
		"the kind":                       {func(a *processor.Transition) { a.Kind = processor.Cleared }, []string{"kind"}},
		"the instant":                    {func(a *processor.Transition) { a.At = a.At.Add(time.Millisecond) }, []string{"at"}},
		"the episode":                    {func(a *processor.Transition) { a.Since = a.Since.Add(-time.Hour) }, []string{"since"}},
		"the rule set":                   {func(a *processor.Transition) { a.RuleSet = "0123" }, []string{"ruleSet"}},
		"the version":                    {func(a *processor.Transition) { a.Version++ }, []string{"version"}},
		"the severity":                   {func(a *processor.Transition) { a.Severity = "critical" }, []string{"severity"}},
		"the cause":                      {func(a *processor.Transition) { a.Cause.Kind = processor.CauseActivation }, []string{"cause"}},
		"the message":                    {func(a *processor.Transition) { a.Message += "!" }, []string{"message"}},
		"more than one thing":            {func(a *processor.Transition) { a.Message, a.Severity = "", "info" }, []string{"message", "severity"}},
		"the rule, which is gone by now": {func(a *processor.Transition) { a.Rule, a.Version = "other", 0 }, []string{"rule"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			e := b.explained("p", 1, 3)
			alert := said(e, 3)
			c.edit(&alert)
			require.Equal(t, 1, b.answer(newAuditor(b.service), alert))
			all := b.divergences()
			if c.fields == nil {
				require.Empty(t, all)
				require.EqualValues(t, 1, b.part.archive.State().Matched)
				return
			}
			require.Len(t, all, 1)
			require.Equal(t, differs, all[0].Kind)
			require.Equal(t, c.fields, all[0].Fields)
			require.Equal(t, "aki-kdigo-1", all[0].Rule)
			require.Equal(t, "f0.3", all[0].Position)
			require.NotEmpty(t, all[0].Alert)
			require.NotEmpty(t, all[0].Explanation)
			require.Zero(t, b.part.archive.State().Matched)
		})
	}
}

func TestAnAlertThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alert := said(b.explained("p", 1, 3), 3)
	a := newAuditor(b.service)
	require.Equal(t, 2, b.answer(a, alert, alert), "twice in one batch")
	require.Equal(t, 1, b.answer(a, alert), "and in another")
	require.EqualValues(t, 1, b.part.archive.State().Matched)
	require.Empty(t, b.divergences())

	unknown := alert
	unknown.ID += "0"
	require.Equal(t, 2, b.answer(a, unknown, unknown))
	require.Equal(t, map[string]int{alertOnly: 1}, b.kinds())
}

// An alert without an explanation is judged when the machine is past it, and not before.
func TestAnAlertWaitsForTheMachine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cause processor.Cause
		early archive.State // it is not yet past
		late  archive.State
	}{
		"of a record":             {processor.Cause{Kind: processor.CauseFact, Offset: 7}, archive.State{Facts: 6, Clock: at(9), Followed: at(9)}, archive.State{Facts: 7, Clock: at(9)}},
		"of time not followed":    {processor.Cause{Kind: processor.CauseTime}, archive.State{Facts: 9, Clock: at(9), Followed: at(6)}, archive.State{Facts: 9, Clock: at(9), Followed: at(9)}},
		"of time at the clock":    {processor.Cause{Kind: processor.CauseTime}, archive.State{Facts: 9, Clock: at(7), Followed: at(7)}, archive.State{Facts: 9, Clock: at(8), Followed: at(8)}},
		"of rules not everywhere": {processor.Cause{Kind: processor.CauseActivation, Offset: 7}, archive.State{Facts: 8, Sweeping: true, Clock: at(9)}, archive.State{Facts: 8, Clock: at(9)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			alert := processor.Transition{ID: "p/rule/set/0/x7", Patient: "p", Rule: "rule", RuleSet: "set", At: at(7).Time(), Since: at(7).Time(), Cause: c.cause}
			b.reached(func(s *archive.State) { *s = c.early })
			a := newAuditor(b.service)
			require.Zero(t, b.answer(a, alert))
			require.Zero(t, b.part.archive.State().Alerts, "it is read again")
			b.reached(func(s *archive.State) { *s = c.late })
			require.Equal(t, 1, b.answer(a, alert))
			require.Equal(t, map[string]int{alertOnly: 1}, b.kinds())
		})
	}
}

// Else the last alert of a log would wait for the next record, and whatever comes after it, too.
func TestAnAlertIsMatchedAsSoonAsItIsExplained(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alert := said(b.explained("p", 1, 3), 3)
	b.reached(func(s *archive.State) { s.Clock, s.Followed = clinical.At(alert.At), clinical.At(alert.At) })
	alert.Cause = processor.Cause{Kind: processor.CauseTime}
	require.Equal(t, 1, b.answer(newAuditor(b.service), alert))
	require.Equal(t, []string{"cause"}, b.divergences()[0].Fields)
}

func TestAnExplanationIsWithoutAlertOnceTheEngineIsPastItAndTheGraceIsOver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := b.explained("p", 1, 3)
	a := newAuditor(b.service)
	pending := func(engine int64) int64 {
		require.NoError(t, a.unanswered(b.part, engine))
		return b.service.metrics.pendingOf(0)
	}
	for range 3 {
		require.EqualValues(t, 1, pending(3), "the engine has yet to commit it")
		require.EqualValues(t, 1, pending(0), "nobody knows where the engine is, or there are alerts yet to be read")
	}
	require.EqualValues(t, 1, pending(4), "from here on it may wait")
	a.config.Grace = time.Hour
	require.EqualValues(t, 1, pending(4))
	a.config.Grace = time.Nanosecond
	require.Zero(t, pending(4))
	all := b.divergences()
	require.Len(t, all, 1)
	require.Equal(t, explanationOnly, all[0].Kind)
	require.Equal(t, e.ID, all[0].ID)

	require.Equal(t, 1, b.answer(a, said(e, 3)), "should it come after all")
	require.Zero(t, pending(9))
	require.Len(t, b.divergences(), 1)
	require.Zero(t, b.part.archive.State().Matched)
}

func TestWhatAChangeOfTheRulesCausedMayWaitLonger(t *testing.T) {
	t.Parallel()
	a := newAuditor(&Service{config: Config{Grace: time.Second}})
	require.Equal(t, time.Second, a.grace("p/rule/set/0/f12"))
	require.Equal(t, time.Second, a.grace("p/rule/set/0/t12"))
	require.Greater(t, a.grace("p/rule/set/0/a12"), 10*time.Second)
}

func TestWhatRetentionHasRemovedIsNoDivergence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gone gone
		want int64 // expired, of three
	}{
		"nothing is":                        {gone{before: clinical.Never}, 0},
		"what is earlier than what is left": {gone{before: at(3)}, 2},
		"what came before, as none is left": {gone{before: clinical.Never, facts: 2}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			for n := range int64(3) {
				b.explained("p", n+1, n+1)
			}
			a := newAuditor(b.service)
			a.gone[0] = c.gone
			for range 2 {
				require.NoError(t, a.unanswered(b.part, 100))
			}
			require.Equal(t, c.want, b.service.metrics.expiredCount.Load())
			require.Len(t, b.divergences(), int(3-c.want))
		})
	}
}

// Each divergence holds both sides whole.
func TestManyDivergencesAreKeptInSeveralBatches(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.deps.Divergences = ""
	const many = divergencesTogether + 10
	for n := range int64(many) {
		b.explained("p", n+1, n+1)
	}
	a := newAuditor(b.service)
	require.NoError(t, a.unanswered(b.part, many*2))
	require.NoError(t, a.unanswered(b.part, many*2))
	require.Len(t, b.divergences(), divergencesTogether)
	for range 2 {
		require.NoError(t, a.unanswered(b.part, many*2))
	}
	require.Len(t, b.divergences(), many)
	require.Empty(t, a.passed)
}

// Histories go back further than computers count their seconds.
func TestBeforeTheAlertsAreLookedAtNothingIsTakenForRemoved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	batch := b.part.archive.Begin()
	defer batch.Discard()
	batch.Explain("p", archive.Entry{Sequence: 1, At: clinical.At(time.Date(1951, 2, 3, 0, 0, 0, 0, time.UTC)), ID: "p/rule/set/0/f1"})
	require.NoError(t, batch.Commit())
	require.NoError(t, newAuditor(b.service).unanswered(b.part, 0))
	require.EqualValues(t, 1, b.service.metrics.pendingOf(0))
	require.Zero(t, b.service.metrics.expiredCount.Load())
}

// While a partition moves to another broker nothing comes. What was not read is not taken for read.
func TestAlertsThatDoNotComeAreReadTheNextTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := make(chan *sarama.ConsumerMessage, 2)
		from <- &sarama.ConsumerMessage{Offset: 5}
		from <- &sarama.ConsumerMessage{Offset: 6}
		read := 0
		next, err := drain(t.Context(), from, 5, 9, func(*sarama.ConsumerMessage) (bool, error) { read++; return true, nil })
		require.NoError(t, err)
		require.Equal(t, 2, read)
		require.EqualValues(t, 7, next)

		close(from)
		_, err = drain(t.Context(), from, 7, 9, nil)
		require.ErrorIs(t, err, processor.ErrLogUnavailable)
	})
}
