package explain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestStatisticsOfAWindow(t *testing.T) {
	below := clinical.Below
	some := inOrder(result(noon-4*hour, 2), result(noon-3*hour, 6), result(noon-hour, 1), result(noon, 4))
	tied := inOrder(result(noon, 2), result(noon, 6))
	bound := inOrder(result(noon-hour, 5, below), result(noon, 9))
	cases := []struct {
		name  string
		facts History
		op    rules.Op
		arg   rules.Argument
		want  any
	}{
		{"the middle of an even number", some, rules.Median, rules.Argument{}, 3},
		{"the median of none", nil, rules.Median, rules.Argument{}, nil},
		{"the median with a bounded value", bound, rules.Median, rules.Argument{}, nil},
		{"the deviation of a sample", inOrder(result(noon-2, 1), result(noon-1, 2), result(noon, 3)), rules.StdDev, rules.Argument{}, 1},
		{"the deviation of one", inOrder(result(noon, 1)), rules.StdDev, rules.Argument{}, nil},
		{"the greatest climb", some, rules.Rise, rules.Argument{}, 4},
		{"the greatest descent", some, rules.Fall, rules.Argument{}, 5},
		{"no climb", inOrder(result(noon-1, 3), result(noon, 1)), rules.Rise, rules.Argument{}, 0},
		{"a climb at one instant", tied, rules.Rise, rules.Argument{}, 4},
		{"a slope of units a day", inOrder(result(noon-12*hour, 1), result(noon, 2)), rules.Slope, rules.Argument{}, 2},
		{"a slope at one instant", tied, rules.Slope, rules.Argument{}, nil},
		{"half the weight", inOrder(result(noon-hour, 0), result(noon, 3)), rules.EWMA, rules.Argument{Millis: int64(hour)}, 2},
		{"the second", some, rules.Nth, rules.Argument{Number: 2}, 6},
		{"the one before the last", some, rules.Nth, rules.Argument{Number: -2}, 1},
		{"a fifth of four", some, rules.Nth, rules.Argument{Number: 5}, nil},
		{"different values", inOrder(result(noon-2, 1), result(noon-1, 1), result(noon, 2)), rules.Distinct, rules.Argument{}, 2},
		{"different values of none", nil, rules.Distinct, rules.Argument{}, 0},
		{"the longest gap", some, rules.MaxGap, rules.Argument{}, 2},
		{"a gap after one", inOrder(result(noon, 1)), rules.MaxGap, rules.Argument{}, nil},
		{"hours above", some, rules.DurationAbove, rules.Argument{Number: 1.5}, 3},
		{"hours above, carried for one", some, rules.DurationAbove, rules.Argument{Number: 1.5, Millis: int64(hour)}, 2},
		{"at the level is not above", some, rules.DurationAbove, rules.Argument{Number: 6}, 0},
		{"hours below", some, rules.DurationBelow, rules.Argument{Number: 2}, 1},
		{"hours below of one", inOrder(result(noon, 1)), rules.DurationBelow, rules.Argument{Number: 2}, 0},
		{"hours below of none", nil, rules.DurationBelow, rules.Argument{Number: 2}, nil},
		{"hours below what a bound does not tell", bound, rules.DurationBelow, rules.Argument{Number: 4}, nil},
		{"hours below what a bound tells", bound, rules.DurationBelow, rules.Argument{Number: 5}, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ask := &rules.Term{Input: creatinine, Op: c.op, Arg: c.arg, Window: always}
			require.Equal(t, value(c.want), NewReference(program(time.UTC)).Term(ask, c.facts, noon))
		})
	}
}
