package pointer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestAnOutlineSaysWhatDataSettlesAndWhatTimeMayChange(t *testing.T) {
	for when, want := range map[string]struct {
		life  Life
		reach rules.Reach
	}{
		"x.last() > 2":               {Settled, rules.Ends},
		"x.last('48h') > 2":          {Passing, rules.Ends},
		"x.max('7d') > 2":            {Passing, rules.Chunks},
		"x.max('7d', value < 9) > 2": {Passing, rules.Inside},
		"x.median() > 2":             {Settled, rules.Inside},
		"x.hours_since() > 6":        {Elapsing, rules.Ends},
		"x.active()":                 {Ending, rules.Periods},
		"patient.age > 3":            {Birthdays, rules.Person},
		"patient.sex == 'male'":      {Settled, rules.Person},
		"patient.deceased":           {Death, rules.Person},
	} {
		p := planOf(t, when, when+" and x.exists('9d')", "x.exists('9d')")
		o := p.Outline(p.Program.Rules[0])
		require.Len(t, o.Terms, 1, when)
		require.Equal(t, want.life, o.Terms[0].Life, when)
		require.Equal(t, want.reach, o.Terms[0].Reach, when)
		require.Equal(t, 1, o.Terms[0].Rules, when)
		require.Equal(t, p.Baseline(0), o.Baseline)
	}
}

// What the outline calls settled must not change while only time passes.
func TestTimeAloneDoesNotChangeASettledTerm(t *testing.T) {
	p := planOf(t, "x.last() > 2", "x.median() > 2", "x.count() > 2", "x.first_time() < x.last_time()", "x.rise() > 1", "x.distinct() > 2")
	h := history(map[float64]float64{-400: 3, -47: 1, -3: 8, -2: 2})
	for _, rule := range p.Program.Rules {
		now := p.Look(rule, clinical.Never, h, noon)
		later := p.Look(rule, clinical.Never, h, hours(24*400))
		for i, term := range p.Outline(rule).Terms {
			require.Equal(t, Settled, term.Life, term.Term.Source)
			require.Equal(t, clinical.Forever, now.Terms[i].Until, term.Term.Source)
			require.Equal(t, now.Terms[i].Value, later.Terms[i].Value, term.Term.Source)
		}
		require.Equal(t, now.Truth, later.Truth)
	}
}

func TestALookSaysUntilWhenEachPartHolds(t *testing.T) {
	p := planOf(t, "x.exists('48h') and x.last() > 2")
	l := p.Look(p.Program.Rules[0], clinical.Never, history(map[float64]float64{-47: 3}), noon)
	require.Equal(t, rules.True, l.Truth)
	require.Equal(t, hours(1)+1, l.Until)
	require.Contains(t, l.Atoms, Standing{Truth: rules.True, Until: hours(1) + 1})
	require.Contains(t, l.Atoms, Standing{Truth: rules.True, Until: clinical.Forever})
}
