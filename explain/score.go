package explain

import (
	"math"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// stretch is the numbers from a least to a greatest one, between which a score lies while not all of it is
// known. Of another number both ends are the same.
type stretch struct{ least, greatest rules.Value }

func stretchOf(e rules.Expr, s scope) stretch {
	score, ok := e.(*rules.Score)
	if !ok {
		v := evaluate(e, s)
		return stretch{v, v}
	}
	least, greatest := 0.0, 0.0
	for _, item := range score.Items {
		low, high := points(item, s)
		least, greatest = least+low, greatest+high
	}
	return stretch{rules.NumberOf(least), rules.NumberOf(greatest)}
}

// value is the number, missing while there are several that it can be.
func (x stretch) value() rules.Value {
	if rules.Compare(x.least.Num, x.greatest.Num) != 0 {
		return rules.Value{}
	}
	return x.least
}

// points is the fewest and the most that an item can give, as far as it is known.
func points(p *rules.Points, s scope) (least, greatest float64) {
	counts := rules.True
	if p.When != nil {
		counts = truth(p.When, s)
	}
	var possible []float64
	if counts != rules.True {
		possible = append(possible, 0)
	}
	if counts != rules.False && p.Of == nil {
		possible = append(possible, p.Number)
	}
	if counts != rules.False && p.Of != nil {
		of := evaluate(p.Of, s)
		for _, b := range p.Bands {
			if of.Kind != rules.Number || within(b.Band, p.Scale, of) {
				possible = append(possible, b.Points)
			}
		}
	}
	least, greatest = slices.Min(possible), slices.Max(possible)
	if least != greatest && p.Unknown.Kind == rules.Number {
		return p.Unknown.Num, p.Unknown.Num
	}
	return least, greatest
}

// within says whether a number, or any number that a bounded one can be, comes to lie in the band.
func within(b rules.Band, s rules.Scale, v rules.Value) bool {
	half := 0.5 * math.Pow10(-s.Places)
	if s.Exact {
		half = 0
	}
	switch v.Bound {
	case clinical.Below: // some number below comes above the band's lower end
		return math.IsInf(b.Low, -1) || rules.Compare(b.Low-half, v.Num) < 0
	case clinical.Above:
		return math.IsInf(b.High, 1) || rules.Compare(b.High+half, v.Num) > 0
	}
	x := v.Num
	if !s.Exact {
		x = rules.Round(x, s.Places)
	}
	reached := math.IsInf(b.Low, -1) || rules.Compare(b.Low, x) <= 0
	passed := !math.IsInf(b.High, 1) && (rules.Compare(x, b.High) > 0 || b.Below && rules.Compare(x, b.High) == 0)
	return reached && !passed
}

// scored says whether a comparison has a score itself as a side.
func scored(e *rules.Binary) bool {
	_, x := e.X.(*rules.Score)
	_, y := e.Y.(*rules.Score)
	return x || y
}

// compareStretches is a comparison that holds of all that its sides can be, or of nothing that they can be;
// of equality only as far as their ends tell.
func compareStretches(op string, x, y stretch) rules.Value {
	is := func(op string, a, b rules.Value) rules.Truth { return rules.CompareValues(op, a, b).Truth() }
	switch op {
	case "!=":
		return valueOf(rules.Not(compareStretches("==", x, y).Truth()))
	case "==":
		switch {
		case is("<", x.greatest, y.least) == rules.True || is(">", x.least, y.greatest) == rules.True:
			return rules.BoolOf(false)
		case x.least == x.greatest && y.least == y.greatest:
			return rules.CompareValues(op, x.least, y.least)
		}
		return rules.Value{}
	case ">", ">=":
		return compareStretches(map[string]string{">": "<", ">=": "<="}[op], y, x)
	}
	// It holds of all if of the greatest x and the least y, and of none if not of the least x and the greatest y.
	switch {
	case is(op, x.greatest, y.least) == rules.True:
		return rules.BoolOf(true)
	case is(op, x.least, y.greatest) == rules.False:
		return rules.BoolOf(false)
	}
	return rules.Value{}
}

// lookup is the value of the row that fits the keys.
func lookup(e *rules.Lookup, s scope) rules.Value {
	keys := make([]rules.Value, len(e.Keys))
	for i, key := range e.Keys {
		keys[i] = evaluate(key, s)
		if keys[i].Kind == rules.Missing || keys[i].Bound != clinical.Exactly {
			return rules.Value{}
		}
	}
	for _, row := range e.Table.Rows {
		fits := true
		for i, cell := range row.Cells {
			if cell.Any {
				continue
			}
			if column := e.Table.Columns[i]; column.Kind == rules.Number {
				fits = fits && within(cell.Band, column.Scale, keys[i])
			} else {
				fits = fits && keys[i] == cell.Is
			}
		}
		if fits {
			return row.Value
		}
	}
	return e.Table.Else
}
