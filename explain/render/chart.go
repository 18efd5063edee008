package render

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
)

// chart is the timeline of one window, ready to be drawn: all places are in the drawing's own units.
type chart struct {
	ID, Title, Desc        string
	Width, Height          string
	Left, Top, Right, Foot string // of the frame
	FootText, FootMore     string // base lines of what stands below it
	Plot                   string // its height
	WindowX, WindowWide    string
	Now, NowText           string
	Times, Numbers         []mark
	Unit                   string
	Lines                  []line // thresholds
	Course, Dots, Enough   string // paths through the values, at them, and at those that suffice where these are many
	Signs                  []sign // facts that stand out
	Bars                   []bar
}

// line is a threshold.
type line struct{ Y, TextY, Text, Note string }

// bar is a period.
type bar struct {
	X, Y, Wide, High, Class, Title string
	Open                           string // a path that points on, where it goes on
}

// The drawing's measures.
const (
	chartWide  = 720
	chartTop   = 22
	chartRight = 84
	chartFoot  = 38
	plotHigh   = 150
	laneHigh   = 14
	digitWide  = 7
)

// plotter draws one chart.
type plotter struct {
	*view
	evidence
	chart   chart
	t       scale // of time, in milliseconds
	y       scale // of values
	labels  labels
	numeric bool
	stars   int // how many of the facts suffice
	left    float64
	foot    float64
}

// chart draws the timeline of a window; nil where there would be nothing on it: of a window without a
// beginning that holds no facts, and of what the patient's person is.
func (v *view) chart(x evidence, number int) *chart {
	endless := x.Window == nil || x.Window.From == nil
	if x.Input == "patient" || endless && len(x.Uses) == 0 && x.Latest == nil {
		return nil
	}
	p := &plotter{view: v, evidence: x}
	p.chart.ID = "chart-" + strconv.Itoa(number)
	p.chart.Title = capital(joined(named(x.Input), scope(x.Term)))
	for _, u := range x.Uses {
		p.numeric = p.numeric || isNumber(u.Value)
		if v.enough[u.Fact] {
			p.stars++
		}
	}
	p.setNumbers()
	p.setTimes()
	if p.numeric {
		p.drawNumbers()
	}
	p.drawFacts()
	p.drawLatest()
	p.describe()
	return &p.chart
}

// place writes a place in the drawing.
func place(x float64) string {
	return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64)
}

// setNumbers lays out the axis of values, or the lanes of what has none.
func (p *plotter) setNumbers() {
	c := &p.chart
	p.left, p.foot = 16, chartTop+3*laneHigh
	if p.numeric {
		p.foot = chartTop + plotHigh
		var numbers []float64
		for _, u := range p.Uses {
			if isNumber(u.Value) {
				numbers = append(numbers, u.Value.Num)
			}
		}
		for _, t := range p.thresholds(p.evidence) {
			numbers = append(numbers, t.at)
		}
		p.y = scaleFor(numbers, p.foot, chartTop)
		for _, x := range p.y.ticks() {
			text := figure(x)
			p.left = max(p.left, float64(digitWide*width(text)+14))
			c.Numbers = append(c.Numbers, mark{At: place(p.y.at(x)), Text: text})
		}
		c.Unit = unit(p.Unit)
		if p.y.log {
			c.Unit = joined(c.Unit, "(logarithmic)")
		}
	} else if lanes := p.lanes(); lanes > 3 {
		p.foot = chartTop + float64(lanes)*laneHigh
	}
	c.Width, c.Height = strconv.Itoa(chartWide), place(p.foot+chartFoot)
	c.Left, c.Top, c.Right, c.Foot = place(p.left), strconv.Itoa(chartTop), strconv.Itoa(chartWide-chartRight), place(p.foot)
	c.FootText, c.FootMore, c.Plot = place(p.foot+15), place(p.foot+30), place(p.foot-chartTop)
}

// setTimes lays out the axis of time: the window up to the instant that is explained, with the last fact
// before it where that is not too far away.
func (p *plotter) setTimes() {
	c, to := &p.chart, p.At
	from, bounded := to, false
	if p.Window != nil && p.Window.From != nil {
		from, bounded = *p.Window.From, true
	}
	reach := float64(to) - float64(from)
	earlier := func(u record.Use) {
		t := p.Facts[u.Fact].Time
		const far = 4
		if t != nil && *t < from && (!bounded || float64(to)-float64(*t) <= far*reach) {
			from = *t
		}
	}
	for _, u := range p.Uses {
		earlier(u)
	}
	if p.Latest != nil {
		earlier(*p.Latest)
	}
	const hour = 3_600_000
	margin := max((float64(to)-float64(from))*0.02, hour/60)
	if from == to {
		from -= hour
	}
	p.t = scale{from: float64(from) - margin, to: float64(to) + margin, start: p.left, end: chartWide - chartRight}

	start, end := p.t.from, float64(to)
	if p.Window != nil {
		end = float64(p.Window.To)
		if p.Window.From != nil {
			start = float64(*p.Window.From)
		}
	}
	c.WindowX, c.WindowWide = place(p.t.at(start)), place(max(p.t.at(end)-p.t.at(start), 1))
	word := string(p.Kind)
	if p.Kind == record.Answer {
		word = "asked about"
	}
	c.Now, c.NowText = place(p.t.at(float64(to))), word+" "+p.at.Format("15:04")
	nowWide := float64(digitWide * width(c.NowText))
	p.labels.take(p.t.at(float64(to))-nowWide/2, 0, nowWide, 14)
	first := true
	var before = p.at
	ticks, step := moments(moment(record.Instant(p.t.from)).In(p.zone), moment(record.Instant(p.t.to)).In(p.zone), 7)
	for _, t := range ticks {
		text, more := step.written(t, first, before)
		c.Times = append(c.Times, mark{At: place(p.t.at(float64(t.UnixMilli()))), Text: text, More: more})
		first, before = false, t
	}
}

// drawNumbers draws the thresholds and the course of the values.
func (p *plotter) drawNumbers() {
	held := p.thresholds(p.evidence)
	slices.SortStableFunc(held, func(x, y threshold) int { return cmp.Compare(y.at, x.at) })
	above := 0.0
	for _, t := range held {
		const lineHigh = 13
		y := p.y.at(t.at)
		textY := max(y+4, above+lineHigh)
		above = textY
		text := comparisonSigns[t.op] + " " + short(t.at)
		p.chart.Lines = append(p.chart.Lines, line{place(y), place(textY), text, text + ": " + t.source})
		p.labels.take(p.left, y-1, chartWide, 2)
	}
	var course, dots, enough strings.Builder
	for _, u := range p.Uses {
		f := &p.Facts[u.Fact]
		if f.Time == nil || !isExact(u.Value) {
			continue
		}
		to := place(p.t.at(float64(*f.Time))) + "," + place(p.y.at(u.Value.Num))
		if course.Len() == 0 {
			course.WriteString("M" + to)
		} else {
			course.WriteString("L" + to)
		}
		if !p.enough[u.Fact] {
			dots.WriteString("M" + to + "h0")
		} else if p.stars > labelled {
			enough.WriteString("M" + to + "h0")
		}
	}
	p.chart.Course, p.chart.Dots, p.chart.Enough = course.String(), dots.String(), enough.String()
}

var comparisonSigns = map[string]string{"==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}

// describe says in words what is drawn.
func (p *plotter) describe() {
	held := counted(p.Saw, "fact")
	if p.Saw == 0 {
		held = "No facts"
	}
	if w := p.reach(p.Window); w != "" {
		held += " in " + w
	}
	lowest, highest, decide := math.Inf(1), math.Inf(-1), []string(nil)
	for _, u := range p.Uses {
		if isNumber(u.Value) {
			lowest, highest = min(lowest, u.Value.Num), max(highest, u.Value.Num)
		}
		if p.enough[u.Fact] && len(decide) < labelled {
			decide = append(decide, p.told(u))
		}
	}
	if p.numeric {
		held += ". Values from " + short(lowest) + " to " + with(short(highest), p.Unit)
	}
	for _, l := range p.chart.Lines {
		held += ". Threshold " + l.Text
	}
	if len(decide) > 0 {
		held += ". " + strings.Join(decide, "; ")
	}
	p.chart.Desc = held + "."
}
