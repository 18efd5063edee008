package api

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/store"
)

func TestAnAnswerMayBeKeptAsLongAsAskedAndNeverPastItsEnd(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	const never = time.Duration(0)
	for _, c := range []struct {
		name, query string
		until       time.Duration // from the instant asked about
		simulated   bool
		copied      bool
		want        string
	}{
		{"nothing is asked", "", time.Hour, false, false, "no-store"},
		{"settled", "?max_age=5s", never, false, false, "private, max-age=5"},
		{"settled for longer", "?max_age=5s", time.Hour, false, false, "private, max-age=5"},
		{"the end comes first", "?max_age=1m", 2900 * time.Millisecond, false, false, "private, max-age=2"},
		{"the end is near", "?max_age=1m", 999 * time.Millisecond, false, false, "private, no-cache"},
		{"no age", "?max_age=0s", time.Hour, false, false, "private, no-cache"},
		{"of another instant, which does not pass", "?max_age=1m&now=2026-03-01T09:00:00Z", time.Second, false, false, "private, max-age=60"},
		{"time that is simulated", "?max_age=1m", time.Hour, true, false, "private, no-cache"},
		{"an instant of time that is simulated", "?max_age=1m&now=2026-03-01T09:00:00Z", time.Hour, true, false, "private, max-age=60"},
		{"of a copy", "?max_age=1m", time.Hour, false, true, "no-store"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t, func(o *Options) { o.Simulated = c.simulated })
			s.reader.change = func(a *store.Answer) {
				a.Now = now
				if c.until != never {
					until := now.Add(c.until)
					a.ValidUntil = &until
				}
				if c.copied {
					a.Copy = &store.Copy{Behind: 1}
				}
			}
			w := s.do("GET", "/v1/patients/p1/alerts"+c.query, "")
			require.Equal(t, 200, w.Code, w.Body.String())
			require.Equal(t, c.want, w.Header().Get("Cache-Control"))
			require.Equal(t, c.copied, w.Header().Get("ETag") == "")
		})
	}
	for _, age := range []string{"soon", "-1s", "61m"} {
		problemOf(t, newService(t, nil).do("GET", "/v1/patients/p1/alerts?max_age="+age, ""), 400, "bad-parameter")
	}
}

func TestATagStaysWhileTheAnswerTellsTheSame(t *testing.T) {
	s := newService(t, nil)
	ask := func(change func(*store.Answer), headers ...string) (tag string, code int) {
		s.reader.change = change
		w := s.do("GET", "/v1/patients/p1/alerts", "", headers...)
		if w.Code == 304 {
			require.Empty(t, w.Body.String())
			require.NotEmpty(t, w.Header().Get("Cache-Control"))
		}
		return w.Header().Get("ETag"), w.Code
	}
	clock := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	first, _ := ask(nil)
	later := func(a *store.Answer) { a.Now, a.AsOf, a.Position = clock, &clock, "f1.9" }
	for _, has := range []string{first, first[len("W/"):], `"other", ` + first, "*"} {
		tag, code := ask(later, "If-None-Match", has)
		require.Equal(t, 304, code, has)
		require.Equal(t, first, tag)
	}
	s.reader.position = "f1.9"
	require.Equal(t, "f1.9", s.do("GET", "/v1/patients/p1/alerts", "", "If-None-Match", first).Header().Get(positionHeader), "how much it has seen is told all the same")

	for name, other := range map[string]func(*store.Answer){
		"a rule is true": func(a *store.Answer) { a.Alerts = []store.Alert{{Rule: "aki"}} },
		"data is missing": func(a *store.Answer) {
			a.Unknown = []store.Unknown{{Rule: "aki", Missing: []string{"creatinine.last('7d')"}}}
		},
		"it holds for less": func(a *store.Answer) { a.ValidUntil = &clock },
		"other rules":       func(a *store.Answer) { a.RuleSet = "abc" },
	} {
		tag, code := ask(other, "If-None-Match", first)
		require.Equal(t, 200, code, name)
		require.NotEqual(t, first, tag, name)
	}
	_, code := ask(func(a *store.Answer) { a.Copy = new(store.Copy) }, "If-None-Match", "*")
	require.Equal(t, 200, code, "of a copy")
}
