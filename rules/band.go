package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// MaxBands is how many bands one list of them may have.
const MaxBands = 100

// Band is a stretch of numbers, as in `9..11`. An end that is open is infinite.
type Band struct {
	Low, High float64 // both inside, but for High where Below is set
	Below     bool    // High itself lies outside: `9..<12`
}

// String is the band as packs write it.
func (b Band) String() string {
	var s strings.Builder
	if !math.IsInf(b.Low, -1) {
		s.WriteString(strconv.FormatFloat(b.Low, 'f', -1, 64))
	}
	s.WriteString("..")
	if b.Below {
		s.WriteByte('<')
	}
	if !math.IsInf(b.High, 1) {
		s.WriteString(strconv.FormatFloat(b.High, 'f', -1, 64))
	}
	return s.String()
}

// Scale says how numbers are brought to the bands that are compared with them: rounded to as many decimal
// places as the finest end of a band is written with, half away from zero, as those who chart by a
// guideline's bands do. Bands of which one is written with `..<` take numbers as they are.
type Scale struct {
	Places int
	Exact  bool
}

// At is the number by which the bands go.
func (s Scale) At(x float64) float64 {
	if s.Exact {
		return x
	}
	return Round(x, s.Places)
}

// Round rounds to decimal places, half away from zero, where a number just below a half by no more than
// binary arithmetic loses counts as one. It is the one rounding of the engine and of the reference evaluator.
func Round(x float64, places int) float64 {
	scale := math.Pow10(places)
	size := math.Abs(x) * scale
	const most = 1e-6 // of one step, so that great numbers are not moved
	ticks := math.Floor(size + min(size*tolerance, most) + 0.5)
	return math.Copysign(ticks/scale, x)
}

// step is the distance between two neighbours on the scale.
func (s Scale) step() float64 {
	if s.Exact {
		return 0
	}
	return 1 / math.Pow10(s.Places)
}

// holds reports whether a number on the scale lies in the band.
func (b Band) holds(x float64) bool {
	high := Compare(x, b.High)
	return (math.IsInf(b.Low, -1) || Compare(x, b.Low) >= 0) && (math.IsInf(b.High, 1) || high < 0 || high == 0 && !b.Below)
}

// bandCell is a band as it was read, with how finely its ends are written.
type bandCell struct {
	Band
	places int
}

// readBand reads `9..11`, `..8`, `25..`, `9..<12` or a single number; false when text is none of these.
func readBand(text string) (bandCell, bool) {
	text = strings.TrimSpace(text)
	low, high, isRange := strings.Cut(text, "..")
	cell := bandCell{Band: Band{Low: math.Inf(-1), High: math.Inf(1)}}
	end := func(s string, to *float64) bool {
		x, ok := finiteNumber(s)
		if !ok || strings.ContainsAny(s, "eE") {
			return false
		}
		*to = x
		_, fraction, _ := strings.Cut(s, ".")
		cell.places = max(cell.places, len(fraction))
		return true
	}
	if !isRange {
		ok := end(text, &cell.Low)
		cell.High = cell.Low
		return cell, ok
	}
	if strings.HasPrefix(high, "<") {
		cell.Below, high = true, high[1:]
		if high == "" {
			return cell, false
		}
	}
	if low == "" && high == "" || low != "" && !end(low, &cell.Low) || high != "" && !end(high, &cell.High) {
		return cell, false
	}
	return cell, true
}

const maxPlaces = 9

// scaleOf is the scale of a list of bands.
func scaleOf(cells []bandCell) Scale {
	var s Scale
	for _, c := range cells {
		s.Places, s.Exact = max(s.Places, c.places), s.Exact || c.Below
	}
	if s.Exact {
		s.Places = 0
	}
	return s
}

// complain says what is wrong with a band by itself.
func (c bandCell) complain() *complaint {
	switch {
	case c.places > maxPlaces:
		return &complaint{fmt.Sprintf("the band %s is written too finely", c), fmt.Sprintf("at most %d decimal places", maxPlaces)}
	case c.Low > c.High || c.Below && c.Low == c.High:
		return &complaint{fmt.Sprintf("the band %s holds nothing", c), "the lower end comes first, as in 9..11"}
	}
	return nil
}

// overlaps reports whether some number of the scale lies in both bands.
func (b Band) overlaps(c Band) bool {
	return b.reaches(c.Low) && c.reaches(b.Low)
}

// reaches reports whether the band goes on as far up as x.
func (b Band) reaches(x float64) bool { return b.High > x || b.High == x && !b.Below }

// follows reports whether c begins just where b ends, on the scale.
func (s Scale) follows(b, c Band) bool {
	if s.Exact {
		return b.Below && b.High == c.Low
	}
	if math.IsInf(b.High, 1) || math.IsInf(c.Low, -1) {
		return false
	}
	return Compare(b.High+s.step(), c.Low) == 0
}

// between is what lies between two bands that leave something out, for a fault.
func (s Scale) between(b, c Band) string {
	if s.Exact {
		return fmt.Sprintf("between %s and %s", b, c)
	}
	format := func(x float64) string { return strconv.FormatFloat(x, 'f', s.Places, 64) }
	low, high := format(b.High+s.step()), format(c.Low-s.step())
	if low == high {
		return low
	}
	return low + " to " + high
}

// meets reports whether a number, or some number that a bounded one can be, comes to lie in the band.
func (s Scale) meets(b Band, v Value) bool {
	half := s.step() / 2 // what is rounded into the band lies up to half a step outside
	switch v.Bound {
	case clinical.Below:
		return math.IsInf(b.Low, -1) || Compare(b.Low-half, v.Num) < 0
	case clinical.Above:
		return math.IsInf(b.High, 1) || Compare(b.High+half, v.Num) > 0
	}
	return b.holds(s.At(v.Num))
}
