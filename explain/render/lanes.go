package render

import (
	"fmt"

	"github.com/vigil-cds/vigil/explain/record"
)

// lanes keeps periods that overlap from being drawn over each other.
type lanes struct {
	ends []float64 // by lane, where the last period in it ends
	foot float64
}

const mostLanes = 10

func newLanes(foot float64) *lanes { return &lanes{foot: foot} }

// take is the lane for a period: the first that is free, or the last where none is.
func (l *lanes) take(from, to float64) int {
	for i, end := range l.ends {
		if end < from {
			l.ends[i] = to
			return i
		}
	}
	if len(l.ends) < mostLanes {
		l.ends = append(l.ends, to)
	}
	return len(l.ends) - 1
}

// lanes is how many lanes the periods of a window take.
func (p *plotter) lanes() int {
	l := newLanes(0)
	for _, u := range p.Uses {
		if f := &p.Facts[u.Fact]; f.Time != nil && f.End != nil {
			l.take(float64(*f.Time), float64(*f.End))
		}
	}
	return len(l.ends) + 1
}

// drawPeriod draws a fact that lasts as a bar, which points on where it goes on beyond the chart.
func (p *plotter) drawPeriod(u record.Use, l *lanes) {
	f := &p.Facts[u.Fact]
	from, to := p.t.at(float64(*f.Time)), p.t.at(float64(*f.End))
	lane := l.take(float64(*f.Time), float64(*f.End))
	y := l.foot - float64(lane+1)*laneHigh
	const high = 9
	b := bar{X: place(from), Y: place(y), Wide: place(max(to-from, 2)), High: place(high), Class: "bar", Title: p.told(u)}
	if p.enough[u.Fact] {
		b.Class = "bar decides"
	}
	if float64(*f.End) > p.t.to {
		b.Open = fmt.Sprintf("M%s,%sl7,%sl-7,%sZ", place(to), place(y), place(high/2.0), place(high/2.0))
	}
	p.chart.Bars = append(p.chart.Bars, b)
}

// labels remembers where text stands, so that none is written over another.
type labels [][4]float64

// take claims a place, and says whether it was free.
func (l *labels) take(x, y, wide, high float64) bool {
	for _, o := range *l {
		if x < o[0]+o[2] && o[0] < x+wide && y < o[1]+o[3] && o[1] < y+high {
			return false
		}
	}
	*l = append(*l, [4]float64{x, y, wide, high})
	return true
}
