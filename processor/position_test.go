package processor

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPositionsReadBackAsTheyWereWritten(t *testing.T) {
	for text, p := range map[string]Position{
		"e3.812":                          {EventsLog, 3, 812},
		"f0.0":                            {FactsLog, 0, 0},
		"e2147483647.9223372036854775807": {EventsLog, math.MaxInt32, math.MaxInt64},
	} {
		require.Equal(t, text, p.String())
		got, err := ParsePosition(text)
		require.NoError(t, err)
		require.Equal(t, p, got)
	}
	list := []Position{{EventsLog, 3, 812}, {FactsLog, 1, 5}}
	require.Equal(t, "e3.812,f1.5", FormatPositions(list))
	got, err := ParsePositions("e3.812, f1.5")
	require.NoError(t, err)
	require.Equal(t, list, got)
	got, err = ParsePositions("")
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestWhatIsNotAPositionIsRefused(t *testing.T) {
	for _, text := range []string{"", "e", "x3.8", "e3", "e.8", "e3.", "e-1.8", "e3.-8", "e3.8.1", "e99999999999.1", "e1.99999999999999999999"} {
		_, err := ParsePosition(text)
		require.ErrorIs(t, err, ErrMalformedPosition, text)
	}
	_, err := ParsePositions("e1.1,,e1.2")
	require.ErrorIs(t, err, ErrMalformedPosition)
}

func TestLatestKeepsTheLastOfEachPartition(t *testing.T) {
	got := Latest([]Position{{'e', 1, 5}, {'e', 0, 2}, {'e', 1, 9}, {'f', 1, 1}, {'e', 0, 1}})
	require.Equal(t, []Position{{'e', 1, 9}, {'e', 0, 2}, {'f', 1, 1}}, got)
}
