package crash

import (
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/equivalence"
	"github.com/vigil-cds/vigil/store"
)

var (
	crashes = flag.Int("crashes", 300, "how often the power is cut at least")
	seed    = flag.Uint64("seed", 1, "the first log")
)

func undisturbed(t *testing.T, seed uint64) *Calm {
	t.Helper()
	calm, err := NewCalm(equivalence.DrawLog(seed).Records)
	if err != nil {
		t.Fatalf("log %d: %v", seed, err)
	}
	return calm
}

// crashesPerLog is more than a log has records, so that many cuts hit what others left.
const crashesPerLog = 60

func TestAPowerCutChangesNothing(t *testing.T) {
	var tally Tally
	began := time.Now()
	for s := *seed; tally.Crashes < *crashes; s++ {
		calm := undisturbed(t, s)
		if err := calm.Power(rand.New(rand.NewPCG(s, 0xc4a5)), crashesPerLog, &tally); err != nil {
			t.Fatalf("log %d: %v\nrun it again with: go test ./internal/crash -crashes 1 -seed %d", s, err, s)
		}
	}
	t.Logf("%+v in %s", tally, time.Since(began).Round(time.Millisecond))
	if tally.Opening == 0 || tally.Lost == 0 || tally.Repeats == 0 || tally.Alerts == 0 {
		t.Errorf("the run proves little: %+v", tally)
	}
}

func TestADifferenceIsFound(t *testing.T) {
	for what, change := range map[string]func(*Calm){
		"a fact that is not applied": func(c *Calm) {
			i := slices.IndexFunc(c.log, func(r clinical.Record) bool {
				return len(r.Assertions) > 0 && len(r.Assertions[0].Facts) > 0
			})
			c.log[i].Assertions = nil
		},
		"an alert that is not sent":               func(c *Calm) { c.alerts = append(c.alerts, store.OutboxRecord{ID: "one more"}) },
		"an alert that is sent and should not be": func(c *Calm) { c.alerts = c.alerts[:len(c.alerts)-1] },
		"an alert that says something else":       func(c *Calm) { c.alerts[0].Body = nil },
		"alerts that are sent in another order":   func(c *Calm) { c.alerts[0], c.alerts[1] = c.alerts[1], c.alerts[0] },
		"a timer that should not be there":        func(c *Calm) { c.without("timers") },
		"a worklist with an entry too much":       func(c *Calm) { c.without("worklist") },
	} {
		t.Run(what, func(t *testing.T) {
			calm := undisturbed(t, 1)
			change(calm)
			if err := calm.Power(rand.New(rand.NewPCG(1, 2)), 20, new(Tally)); !errors.Is(err, ErrDiffers) {
				t.Errorf("the run said %v", err)
			}
		})
	}
}

// without takes one entry of a family out of what the undisturbed run held at each time.
func (c *Calm) without(family string) {
	for i := range c.after {
		held := c.after[i].contents
		if j := slices.IndexFunc(held, func(e entry) bool { return e.family == family }); j >= 0 {
			c.after[i].contents = slices.Delete(slices.Clone(held), j, j+1)
		}
	}
}
