package processor

import (
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/processor/group"
)

// lostCoordinator is a client of brokers of which none coordinates groups.
type lostCoordinator struct{ sarama.Client }

func (lostCoordinator) Coordinator(string) (*sarama.Broker, error) {
	return nil, sarama.ErrConsumerCoordinatorNotAvailable
}

func TestWhatWasOwnedAnswersForAsLongAsNobodyCanSayWhoOwnsIt(t *testing.T) {
	asked := func(times int) *group.Directory {
		d := group.NewDirectory(lostCoordinator{}, "rules", time.Second)
		for range times {
			_, err := d.Describe()
			require.ErrorIs(t, err, group.ErrUnreadable)
		}
		return d
	}
	long, short := time.Now().Add(-2*restTime), time.Now()
	for _, c := range []struct {
		name      string
		directory *group.Directory
		heard     time.Time
		answers   bool
	}{
		{"given up a moment ago", asked(0), short, true},
		{"given up long ago, and the group goes on without it", asked(0), long, false},
		{"given up a moment ago, and the coordinator was lost", asked(1), short, true},
		{"given up long ago, and the coordinator was lost all the while", asked(2), long, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &owner{role: &rulesRole{directory: c.directory}}
			o.rested.Store(&Copy{Behind: 3, Heard: c.heard})
			p := &Processor{rules: &rulesRole{directory: c.directory, owners: []*owner{o}}}
			has, ok := p.Copy(0)
			require.Equal(t, c.answers, ok)
			if ok {
				require.Equal(t, Copy{Behind: 3, Heard: c.heard}, has, "it says how old it is")
			}
			answers, _ := c.directory.Reached()
			require.Equal(t, answers, p.Trouble() == "")
		})
	}
}
