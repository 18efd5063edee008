package rules

import (
	"math/bits"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// MaxCost is how many facts a read may look at for one rule, by the estimate that Cost is. Above it the rule is a
// fault.
const MaxCost = 1_000_000

// Cost estimates what a read costs for which nothing is cached and nothing settled, of a busy patient: one
// who has a fact of each input, under one code, every five minutes, 10,000 of them. It is there to tell
// rules that cost much from those that cost little, not to foretell microseconds.
type Cost struct {
	Rows  int // chunks of up to 64 facts that come out of the store: a stream is read whole
	Facts int // facts that are looked at, or summaries of whole chunks
}

// The busy patient.
const (
	factsApart = 5 * minute
	factsHeld  = 10_000
	chunkFacts = 64
	// oneIn is how many facts are looked at for one that belongs, where the input asks about the number or the
	// times of a fact.
	oneIn = 8
)

// Reach says which facts a read of a term looks at.
type Reach uint8

const (
	Person  Reach = iota // the statement about the patient's person
	Ends                 // those at the window's ends: the same for a few facts as for many
	Chunks               // those of the chunks at the window's ends, and a summary of each chunk between
	Inside               // every fact of the window
	Periods              // every fact of the input
)

// Reach says which facts a read of one of the program's terms looks at.
func (p *Program) Reach(t *Term) Reach { return reachOf(t, p.Inputs[t.Input]) }

func reachOf(t *Term, in *Input) Reach {
	switch t.Op {
	case Age, AgeMonths, Sex, Deceased, BirthDate:
		return Person
	case Active, Overlaps, PeriodStart, PeriodEnd, Ended, HoursSinceStart, HoursSinceEnd:
		return Periods
	case Exists, Last, First, LastTime, FirstTime, HoursSince, DaysSince:
		return Ends
	case Min, Max, Sum, Mean, Delta:
		if in.Plain() && !in.Derived() && in.Type == clinical.Number {
			return Chunks
		}
	}
	return Inside
}

// TermCost is what one of the program's terms costs by itself.
func (p *Program) TermCost(t *Term) Cost { return termCost(t, p.Inputs[t.Input]) }

func termCost(t *Term, in *Input) Cost {
	n := factsHeld
	switch {
	case t.Window.All, t.Window.During:
	case t.Window.Day != NoDay:
		n = day / factsApart
	default:
		n = int(min(max(t.Window.From.mean()-t.Window.To.mean(), 0)/factsApart+1, factsHeld))
	}
	c := Cost{Rows: factsHeld/chunkFacts + 1}
	switch reachOf(t, in) {
	case Person:
		c.Rows, c.Facts = 1, 1
	case Ends:
		if c.Facts = 2; !in.Plain() {
			c.Facts *= oneIn
		}
	case Chunks:
		c.Facts = min(n, 2*chunkFacts+n/chunkFacts)
	case Inside:
		switch c.Facts = n; t.Op {
		case Median: // sorts them
			c.Facts *= max(bits.Len(uint(n))/4, 1)
		case Distinct: // collects them
			c.Facts *= 3
		}
	case Periods:
		c.Facts = factsHeld
	}
	return c
}

// Cost is what a rule costs: each of its terms once, those of its message too, and the rows of each input
// once.
func (p *Program) Cost(r *Rule) Cost {
	return ruleCost(p.Terms, p.Inputs, r)
}

func ruleCost(terms []*Term, inputs []*Input, r *Rule) Cost {
	var c Cost
	seen, read := map[int]bool{}, map[int]bool{}
	asked := [][]int{r.Terms}
	if r.Message != nil {
		asked = append(asked, r.Message.Terms)
	}
	for _, ids := range asked {
		for _, id := range ids {
			if seen[id] {
				continue
			}
			seen[id] = true
			t := terms[id]
			one := termCost(t, inputs[t.Input])
			c.Facts += one.Facts
			if !read[t.Input] {
				read[t.Input] = true
				c.Rows += one.Rows
			}
		}
	}
	return c
}
