package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/vigil-cds/vigil/rules/schema"
)

// MaxItems is how many items a score may have.
const MaxItems = 100

// Score is a sum of points. As long as some of its items are unknown it lies between the least and the
// greatest sum that they leave possible. A comparison that has a Score itself as a side is true or false
// as soon as both of these make it so (see the contract); anywhere else a Score is a number, missing while
// the two differ.
type Score struct {
	ID    int // no other score of the program has it
	Pack  string
	Name  string // of the pack's scores; "score" of a rule's own
	Title string
	Items []*Points
}

// Points is one item of a score: so many points when a condition is true, or by the band that a number
// lies in, perhaps only when a condition is true. As an expression it is the number of points, missing while
// that is not known.
type Points struct {
	When   Expr    // nil of a banded item that counts always
	Number float64 // of points, when When is true, of an item without bands

	Of    Expr // the number of a banded item; else nil
	Scale Scale
	Bands []BandPoints // ascending, without gap or overlap, open at both ends

	// Unknown is the points that count while the item is unknown; missing where it may then be any of those
	// that it can give.
	Unknown Value
}

// BandPoints is how many points a band gives.
type BandPoints struct {
	Band
	Points float64
}

func (e *Score) String() string  { return written(e, (*Term).String) }
func (e *Points) String() string { return written(e, (*Term).String) }

// points is `3 if age >= 75`, or `resp_rate.last('12h') [..8: 3, 9..: 0]`, the latter perhaps with an `if`, too.
func (w *exprWriter) points(e *Points) {
	if e.Of != nil {
		w.banded(e)
	} else {
		w.b.WriteString(strconv.FormatFloat(e.Number, 'g', -1, 64))
	}
	if e.When != nil {
		w.b.WriteString(" if ")
		w.write(e.When, bindDefault)
	}
}

func (w *exprWriter) banded(e *Points) {
	w.write(e.Of, bindSum)
	w.b.WriteString(" [")
	for i, b := range e.Bands {
		if i > 0 {
			w.b.WriteString(", ")
		}
		w.b.WriteString(b.Band.String() + ": " + strconv.FormatFloat(b.Points, 'g', -1, 64))
	}
	w.b.WriteByte(']')
}

// scoreCode is a score lowered to code.
type scoreCode []itemCode

type itemCode struct {
	*Points
	when, of *code // nil as When and Of are
}

// bounds are the least and the greatest that the score can be.
func (s scoreCode) bounds(values []Value, fact *evidence) (least, greatest float64) {
	for i := range s {
		low, high := s[i].bounds(values, fact)
		least, greatest = least+low, greatest+high
	}
	return least, greatest
}

// bounds are the least and the greatest number of points that the item can give.
func (i *itemCode) bounds(values []Value, fact *evidence) (least, greatest float64) {
	holds := True
	if i.when != nil {
		holds = i.when.eval(values, fact).Truth()
	}
	if holds == False {
		return 0, 0
	}
	least, greatest = i.Number, i.Number
	if i.of != nil {
		least, greatest = i.banded(i.of.eval(values, fact))
	}
	if holds == Unknown {
		least, greatest = min(0, least), max(0, greatest)
	}
	if least != greatest && i.Unknown.Kind == Number {
		return i.Unknown.Num, i.Unknown.Num
	}
	return least, greatest
}

// banded is over the bands in which the number can lie.
func (p *Points) banded(v Value) (least, greatest float64) {
	least, greatest = math.Inf(1), math.Inf(-1)
	for i := range p.Bands {
		b := &p.Bands[i]
		switch {
		case v.Kind != Number:
		case !p.Scale.meets(b.Band, v):
			continue
		}
		least, greatest = min(least, b.Points), max(greatest, b.Points)
	}
	return least, greatest
}

// scoreTest compares two numbers of which one, at least, is a score.
type scoreTest struct {
	op   comparison
	x, y scoreSide
}

type scoreSide struct {
	score scoreCode // nil of another number
	code  code
}

func (s *scoreSide) bounds(values []Value, fact *evidence) (least, greatest Value) {
	if s.score == nil {
		v := s.code.eval(values, fact)
		return v, v
	}
	low, high := s.score.bounds(values, fact)
	return NumberOf(low), NumberOf(high)
}

// eval compares the ends that are nearest to each other and those that are farthest apart: where both
// agree, so does all that lies between.
func (t *scoreTest) eval(values []Value, fact *evidence) Value {
	xLeast, xGreatest := t.x.bounds(values, fact)
	yLeast, yGreatest := t.y.bounds(values, fact)
	switch t.op {
	case equal, unequal:
		if xLeast == xGreatest && yLeast == yGreatest {
			return compareValues(t.op, xLeast, yLeast)
		}
		if compareValues(less, xGreatest, yLeast).Truth() == True || compareValues(greater, xLeast, yGreatest).Truth() == True {
			return BoolOf(t.op == unequal)
		}
		return Value{}
	}
	one, other := compareValues(t.op, xLeast, yGreatest), compareValues(t.op, xGreatest, yLeast)
	if one == other {
		return one
	}
	return Value{}
}

// value is the score as a number.
func (s scoreCode) value(values []Value, fact *evidence) Value {
	least, greatest := s.bounds(values, fact)
	if Compare(least, greatest) != 0 {
		return Value{}
	}
	return NumberOf(least)
}

// stated is the score for a message: "7", or "5 to 8".
func (s scoreCode) stated(values []Value) string {
	least, greatest := s.bounds(values, nil)
	if Compare(least, greatest) == 0 {
		return NumberOf(least).String()
	}
	return NumberOf(least).String() + " to " + NumberOf(greatest).String()
}

// scoreSource is a score as written, and what became of it.
type scoreSource struct {
	name, title string
	at          position
	pack        *pack
	items       *node

	state resolution
	score *Score       // nil when it has faults
	used  []*Parameter // by it
	depth int          // of the rules that it refers to
}

// scores reads the scores of a pack: a list of items each, or a mapping with a title and its items.
func (r reader) scores(p *pack, n *node) {
	if n == nil || !r.is(n, mapping, "scores") {
		return
	}
	for _, v := range n.pairs {
		if !r.ownName(p, "a score", v.key) {
			continue
		}
		s := &scoreSource{name: v.key.text, at: v.key.at(), pack: p, items: v.value}
		if v.value.shape == mapping {
			keys := r.keys(v.value, "the score "+strconv.Quote(s.name), schema.Score.Names()...)
			s.title, s.items = r.word(keys["title"], "title"), keys["items"]
			if s.items == nil {
				if len(keys) == len(v.value.pairs) {
					r.add(s.at, fmt.Sprintf("the score %q has no items", s.name), "list them, as in `items: [{when: patient.age >= 75, points: 2}]`")
				}
				s.state = settled
			}
		}
		p.scores[s.name] = s
		p.scoreOrder = append(p.scoreOrder, s)
	}
}

// place is what a circle of references calls the score.
func (s *scoreSource) place() string { return "score " + s.name }

// score is what a score as written compiles to; nil after a fault.
func (c *compiler) score(s *scoreSource) *Score {
	if s.state != untouched {
		return s.score
	}
	s.state = underway
	outer := c.within(s.place())
	if s == outer.own {
		c.now.each = outer.each
	}
	out := &Score{Pack: s.pack.name, Name: s.name, Title: s.title}
	fine := c.items(out, s.pack, s.items)
	s.depth = c.now.depth
	s.used = c.leave(outer)
	s.state = settled
	if fine {
		out.ID = c.nextScore
		c.nextScore++
		s.score = out
	}
	return s.score
}

func (c *compiler) items(s *Score, p *pack, n *node) bool {
	r := reader{&c.report}
	what := "the score " + strconv.Quote(s.Name)
	switch {
	case !r.is(n, list, what):
		return false
	case len(n.items) == 0 || len(n.items) > MaxItems:
		c.add(n.at(), fmt.Sprintf("%s has %d items, and 1 to %d make a score", what, len(n.items), MaxItems), "write each as `{when: patient.age >= 75, points: 2}`")
		return false
	}
	for _, item := range n.items {
		if i := c.item(p, item); i != nil {
			s.Items = append(s.Items, i)
		}
	}
	return len(s.Items) == len(n.items)
}

// item reads `{when, points}`, `{term, bands}` or `{when, term, bands}`; nil after a fault.
func (c *compiler) item(p *pack, n *node) *Points {
	r := reader{&c.report}
	const example = "write `{when: patient.age >= 75, points: 2}`, or `{term: resp_rate.last('12h'), bands: [[..8, 3], [9..24, 0], [25.., 3]]}`"
	before := len(c.faults)
	keys := r.keys(n, "an item of a score", schema.Item.Names()...)
	if len(c.faults) > before {
		return nil
	}
	conditional := keys["when"] != nil && keys["points"] != nil && keys["term"] == nil && keys["bands"] == nil
	banded := keys["points"] == nil && keys["term"] != nil && keys["bands"] != nil
	if !conditional && !banded {
		c.add(n.at(), "an item of a score has `when` and `points`, or `term` and `bands`, these perhaps with `when`", example)
		return nil
	}
	item := &Points{}
	if v := keys["unknown"]; v != nil {
		if x, ok := c.number(p, v, "unknown"); ok {
			item.Unknown = NumberOf(x)
		}
	}
	if keys["when"] != nil {
		item.When = c.inner(p, keys["when"])
	}
	if conditional {
		item.Number, _ = c.number(p, keys["points"], "points")
	} else {
		item.Of = c.quantity(p, keys["term"])
		c.bands(item, p, keys["bands"])
	}
	if len(c.faults) > before || keys["when"] != nil && item.When == nil || banded && item.Of == nil {
		return nil
	}
	return item
}

// inner is a condition as an item of a score has it: one in which no time elapses.
func (c *compiler) inner(p *pack, n *node) Expr {
	c.now.still++
	defer func() { c.now.still-- }()
	e := c.condition(p, n, 0)
	if e == nil {
		return nil
	}
	if _, ok := lower(e); !ok {
		c.add(n.at(), "the condition is nested too deeply", "split the item")
		return nil
	}
	return e
}

// quantity reads an expression that is a number.
func (c *compiler) quantity(p *pack, n *node) Expr {
	if !(reader{&c.report}).is(n, scalar, "term") {
		return nil
	}
	k := &checker{c: c, pack: p, source: n}
	tree := k.parse(n.text)
	if tree == nil {
		return nil
	}
	e, t := k.check(tree, inside)
	if t == broken {
		return nil
	}
	if t != number {
		k.fault(tree, fmt.Sprintf("bands are of numbers, and this is %s", t), "write the item with `when` and `points`")
		return nil
	}
	if _, ok := lower(e); !ok {
		c.add(n.at(), "the expression is nested too deeply", "")
		return nil
	}
	return e
}

// number reads a number, or the name of a constant or parameter that is one.
func (c *compiler) number(p *pack, n *node, what string) (float64, bool) {
	s := (reader{&c.report}).word(n, what)
	if s == "" {
		return 0, false
	}
	if x, ok := finiteNumber(s); ok {
		return x, true
	}
	named := p.constants[s]
	if named == nil || named.value.Kind != Number {
		hint := didYouMean(s, p.constantNames())
		if hint == "" || named != nil {
			hint = "or the name of a constant or parameter of the pack that is one"
		}
		c.add(n.at(), fmt.Sprintf("%s is a number, and here is %q", what, s), hint)
		return 0, false
	}
	c.use(named.parameter)
	return named.value.Num, true
}

// bands reads `[[..8, 3], [9..11, 1], [12.., 0]]`, which must leave nothing out.
func (c *compiler) bands(item *Points, p *pack, n *node) {
	r := reader{&c.report}
	if !r.is(n, list, "bands") {
		return
	}
	if len(n.items) == 0 || len(n.items) > MaxBands {
		c.add(n.at(), fmt.Sprintf("there are %d bands, and 1 to %d can be", len(n.items), MaxBands), "write each as `[9..11, 1]`")
		return
	}
	before := len(c.faults)
	cells := make([]bandCell, len(n.items))
	points := make([]float64, len(n.items))
	for i, row := range n.items {
		if !r.is(row, list, "a band with its points") {
			continue
		}
		if len(row.items) != 2 {
			c.add(row.at(), "a band and its points are two things", "as in `[9..11, 1]`")
			continue
		}
		text := r.word(row.items[0], "a band")
		cell, ok := readBand(text)
		if !ok && text != "" {
			c.add(row.items[0].at(), fmt.Sprintf("%q is not a band", text), "bands are written 9..11, ..8, 25.. or 9..<12")
			continue
		}
		if fault := cell.complain(); fault != nil {
			c.add(row.items[0].at(), fault.problem, fault.hint)
			continue
		}
		cells[i] = cell
		points[i], _ = c.number(p, row.items[1], "points")
	}
	if len(c.faults) > before {
		return
	}
	item.Scale = scaleOf(cells)
	for i, cell := range cells {
		item.Bands = append(item.Bands, BandPoints{cell.Band, points[i]})
		at := n.items[i].at()
		switch {
		case i == 0 && !math.IsInf(cell.Low, -1):
			c.add(at, fmt.Sprintf("the bands leave out what lies below %s", cell.Band), fmt.Sprintf("begin with `..%s`", strings.TrimLeft(highEnd(cell.Band), "<")))
		case i > 0 && !item.Scale.follows(cells[i-1].Band, cell.Band):
			c.misplaced(at, item.Scale, cells[i-1].Band, cell.Band)
		}
		if i == len(cells)-1 && !math.IsInf(cell.High, 1) {
			c.add(at, fmt.Sprintf("the bands leave out what lies above %s", cell.Band), "end with one that has no upper end, as in `25..`")
		}
	}
}

func highEnd(b Band) string {
	_, high, _ := strings.Cut(b.String(), "..")
	return high
}

// misplaced says what is wrong between two bands that do not follow each other.
func (c *compiler) misplaced(at position, s Scale, b, next Band) {
	switch {
	case b.reaches(next.Low) && next.reaches(b.Low):
		c.add(at, fmt.Sprintf("the bands %s and %s overlap", b, next), "each number lies in one band: write 9..11 and 12..20, or 9..<12 and 12..<21")
	case next.Low < b.Low:
		c.add(at, fmt.Sprintf("the band %s stands after %s", next, b), "write them in ascending order")
	case s.Exact && !b.Below:
		c.add(at, fmt.Sprintf("the bands %s and %s do not meet", b, next), "where one band is written with `..<`, all are")
	default:
		c.add(at, fmt.Sprintf("the bands leave out %s", s.between(b, next)), "let each begin where the one before it ends")
	}
}

// scored is a score where an expression names one.
func (k *checker) scored(n ast.Node, s *scoreSource) (Expr, typ) {
	if k.where != nil {
		k.fault(n, "`where` cannot ask for a score: scores are asked about now", "write out what the fact must be like")
		return nil, broken
	}
	c := k.c
	if s.state == underway {
		k.fault(n, "the score is made from itself: "+c.circle(s.place()), "break the circle")
		return nil, broken
	}
	score := c.score(s)
	if score == nil {
		return nil, broken
	}
	c.now.depth = max(c.now.depth, s.depth)
	c.use(s.used...)
	return score, number
}
