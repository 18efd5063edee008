package equivalence

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Case is one experiment, complete in itself.
type Case struct {
	Seed     uint64
	Zone     string            // "" for Europe/London
	Sections string            // the constants, parameters, tables and scores of the pack, as YAML
	Inputs   string            // the inputs of the pack
	Rules    []string          // conditions, one a rule; after "stay: " one that holds for each stay
	Records  []clinical.Record // the facts log of one patient's partition, in order
	Change   int               // another rule set becomes active after the first so many records; 0: never
	// Later is the conditions of that set, under the same names, over LaterInputs.
	Later       []string
	LaterInputs string
	// Site and LaterSite are what the site sets of the parameters, under the first rules and the later; "" for
	// nothing.
	Site, LaterSite string
	Asks            []Ask
}

// Ask is one read: after the first so many records, at an instant.
type Ask struct {
	After int
	Now   clinical.Instant
}

// patient is whom every case is about.
const patient = "p1"

// pack writes a rule pack.
func (c *Case) pack(inputs string, conditions []string) []byte {
	zone := cmp.Or(c.Zone, "Europe/London")
	out := "pack: case\nzone: " + zone + "\n" + valueSets + c.Sections + "inputs:\n" + inputs + "rules:\n"
	for i, when := range conditions {
		each := ""
		if input, rest, of := strings.Cut(when, ": "); of && !strings.ContainsAny(input, " '(") {
			each, when = "for_each: "+input+", ", rest
		}
		out += fmt.Sprintf("  - {id: r%02d, title: r, severity: info, source: drawn, %swhen: %q}\n", i, each, when)
	}
	return []byte(out)
}

// Save writes the case where LoadCase finds it.
func (c *Case) Save(path string) error {
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// LoadCase reads a case that Save wrote.
func LoadCase(path string) (*Case, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := new(Case)
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("reading the case %s: %w", path, err)
	}
	return c, nil
}

// Shrink drops asks, records, facts and rules as long as the case still fails, and returns what is left.
func Shrink(c *Case, fails func(*Case) bool) *Case {
	for again := true; again; {
		again = false
		for _, smaller := range []func(*Case, int) *Case{withoutChange, withoutAsk, withoutRecord, withoutRule, withoutFact} {
			for i := 0; ; i++ {
				next := smaller(c, i)
				if next == nil {
					break
				}
				if fails(next) {
					c, again = next, true
					i--
				}
			}
		}
	}
	return c
}

func withoutChange(c *Case, i int) *Case {
	if c.Change == 0 || i > 0 {
		return nil
	}
	next := *c
	next.Change, next.Later = 0, nil
	return &next
}

func withoutAsk(c *Case, i int) *Case {
	if i >= len(c.Asks) {
		return nil
	}
	next := *c
	next.Asks = slices.Delete(slices.Clone(c.Asks), i, i+1)
	return &next
}

func withoutRule(c *Case, i int) *Case {
	if i >= len(c.Rules) || len(c.Rules) == 1 {
		return nil
	}
	next := *c
	next.Rules = slices.Delete(slices.Clone(c.Rules), i, i+1)
	return &next
}

func withoutRecord(c *Case, i int) *Case {
	if i >= len(c.Records) {
		return nil
	}
	next := *c
	next.Records = slices.Delete(slices.Clone(c.Records), i, i+1)
	next.Asks = slices.Clone(c.Asks)
	for j := range next.Asks {
		if next.Asks[j].After > i {
			next.Asks[j].After--
		}
	}
	if next.Change > i+1 {
		next.Change--
	}
	return &next
}

// withoutFact takes the ith fact out of the records, counted through them all.
func withoutFact(c *Case, i int) *Case {
	for r := range c.Records {
		for a := range c.Records[r].Assertions {
			facts := c.Records[r].Assertions[a].Facts
			if c.Records[r].Assertions[a].Resource == "" {
				facts = nil // such an assertion is its fact
			}
			if i >= len(facts) {
				i -= len(facts)
				continue
			}
			next := *c
			next.Records = slices.Clone(c.Records)
			next.Records[r].Assertions = slices.Clone(c.Records[r].Assertions)
			next.Records[r].Assertions[a].Facts = slices.Delete(slices.Clone(facts), i, i+1)
			return &next
		}
	}
	return nil
}
