package rulesrun

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The elements of JUnit XML that build servers read: a suite for each file, a test case for each case.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string      `xml:"name,attr"`
		Class   string      `xml:"classname,attr"`
		File    string      `xml:"file,attr"`
		Line    int         `xml:"line,attr"`
		Time    string      `xml:"time,attr"`
		Failure *junitFault `xml:"failure"`
		Error   *junitFault `xml:"error"`
	}
	junitFault struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes results, which are in the order of files, as JUnit XML. A case that fails is a failure; one
// in which the engine and the reference evaluator differ is an error. The errors are w's.
func JUnit(w io.Writer, results []Result) error {
	all := junitSuites{Name: "vigil rules test", Suites: []junitSuite{}}
	took, inSuite := time.Duration(0), time.Duration(0)
	for i := range results {
		r := &results[i]
		if n := len(all.Suites); n == 0 || all.Suites[n-1].Name != r.File {
			all.Suites = append(all.Suites, junitSuite{Name: r.File})
			inSuite = 0
		}
		s := &all.Suites[len(all.Suites)-1]
		c := junitCase{Name: r.Name, Class: r.Pack + "." + r.Rule, File: r.File, Line: r.Line, Time: seconds(r.Took)}
		if len(r.Problems) > 0 {
			var text strings.Builder
			engine := false
			for k := range r.Problems {
				text.WriteString(r.Problems[k].text(r, ""))
				engine = engine || r.Problems[k].Engine
			}
			first := r.Problems[0]
			fault := &junitFault{Message: fmt.Sprintf("expected %s %s, but it is %s", first.What, first.Expected, first.Actual), Type: "expectation", Text: text.String()}
			if engine {
				fault.Type, c.Error = "engine", fault
				s.Errors++
				all.Errors++
			} else {
				c.Failure = fault
				s.Failures++
				all.Failures++
			}
		}
		s.Cases = append(s.Cases, c)
		s.Tests++
		all.Tests++
		took, inSuite = took+r.Took, inSuite+r.Took
		s.Time = seconds(inSuite)
	}
	all.Time = seconds(took)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
