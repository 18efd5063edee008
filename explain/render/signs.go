package render

import (
	"fmt"

	"github.com/vigil-cds/vigil/explain/record"
)

// sign is a fact that is drawn by itself.
type sign struct {
	Path              string
	X, Y, Side, Class string // of the text and the mark
	Text, Title       string
}

// More facts than these have no text of their own.
const labelled = 16

// drawFacts draws each fact that stands out: those that suffice, bounds, and those without a number.
func (p *plotter) drawFacts() {
	lanes := newLanes(p.foot)
	few := p.stars <= labelled
	for _, u := range p.Uses {
		f := &p.Facts[u.Fact]
		star := few && p.enough[u.Fact]
		switch {
		case f.Time == nil:
		case f.End != nil && !isNumber(u.Value):
			p.drawPeriod(u, lanes)
		case star && isNumber(u.Value):
			p.drawSign(u, p.y.at(u.Value.Num), p.worth(u))
		case isNumber(u.Value) && !isExact(u.Value):
			p.drawSign(u, p.y.at(u.Value.Num), "")
		case isNumber(u.Value):
		case len(p.Uses) <= labelled && !u.Value.IsZero():
			p.drawSign(u, p.foot-laneHigh, cut(plain(u.Value.String()), 18))
		default:
			p.drawSign(u, p.foot-laneHigh, "")
		}
	}
}

// worth is a fact's number, without its unit.
func (p *plotter) worth(u record.Use) string {
	if isExact(u.Value) && u.Value != p.Facts[u.Fact].Value {
		return short(u.Value.Num)
	}
	return u.Value.String()
}

// drawSign draws a fact, which has a time, with its text where there is room: above it, beside it or below.
func (p *plotter) drawSign(u record.Use, y float64, text string) {
	x := p.t.at(float64(*p.Facts[u.Fact].Time))
	s := sign{Class: "fact", Title: p.told(u)}
	switch {
	case !isNumber(u.Value):
		s.Path, s.Class = fmt.Sprintf("M%s,%sv-14", place(x), place(y+7)), "fact tick"
	case !isExact(u.Value):
		s.Path = pointer(x, y, float64(u.Value.Bound))
	case p.enough[u.Fact]:
		s.Path = disc(x, y, 5)
	default:
		s.Path = disc(x, y, 3)
	}
	if p.enough[u.Fact] {
		s.Class += " decides"
	}
	const beside, high = 9, 12
	wide := float64(digitWide * width(text))
	for _, spot := range []struct {
		left, base, anchor float64
		side               string
	}{
		{x - wide/2, y - 10, x, "middle"},
		{x + beside, y + 4, x + beside, "start"},
		{x - beside - wide, y + 4, x - beside, "end"},
		{x - wide/2, y + 19, x, "middle"},
	} {
		inside := 0 <= spot.left && spot.left+wide <= chartWide && spot.base <= p.foot
		if text != "" && inside && p.labels.take(spot.left, spot.base-high+2, wide, high) {
			s.X, s.Y, s.Side, s.Text = place(spot.anchor), place(spot.base), spot.side, text
			break
		}
	}
	p.chart.Signs = append(p.chart.Signs, s)
}

// told is a fact in words, for who points at it or does not see it.
func (p *plotter) told(u record.Use) string {
	f := &p.Facts[u.Fact]
	words := p.when(f)
	if !u.Value.IsZero() {
		words = p.stated(u.Value, p.Unit) + ", " + words
	}
	if p.enough[u.Fact] {
		words += ", decides"
	}
	return words
}

// drawLatest draws the last fact before an empty window.
func (p *plotter) drawLatest() {
	if p.Latest == nil || p.Facts[p.Latest.Fact].Time == nil {
		return
	}
	t := float64(*p.Facts[p.Latest.Fact].Time)
	x, y := p.t.at(t), p.foot-laneHigh
	text := "last"
	if !p.Latest.Value.IsZero() {
		text = cut(p.stated(p.Latest.Value, p.Unit), 24)
	}
	s := sign{Path: fmt.Sprintf("M%s,%sl8,8m0,-8l-8,8", place(x-4), place(y-4)), Class: "fact before", Title: "before the window: " + p.told(*p.Latest), Text: text}
	s.X, s.Y, s.Side = place(x), place(y-10), "middle"
	if t < p.t.from {
		s.Text, s.Side = "← "+text+", "+p.when(&p.Facts[p.Latest.Fact]), "start"
	}
	if half := float64(digitWide*width(s.Text)) / 2; s.Side == "middle" && x < half {
		s.X = place(half)
	}
	p.chart.Signs = append(p.chart.Signs, s)
}

// disc is the path of a full circle.
func disc(x, y, r float64) string {
	return fmt.Sprintf("M%s,%sa%s,%s 0 1 0 %s,0a%s,%s 0 1 0 -%s,0Z", place(x-r), place(y), place(r), place(r), place(2*r), place(r), place(r), place(2*r))
}

// pointer is the path of a triangle that points to where a bounded value lies: down for one below.
func pointer(x, y, towards float64) string {
	return fmt.Sprintf("M%s,%sh10l-5,%sZ", place(x-5), place(y), place(-9*towards))
}
