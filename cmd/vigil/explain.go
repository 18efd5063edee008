package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/render"
)

func (a *app) explainCommand() *cobra.Command {
	var server string
	q := &explainQuery{}
	c := &cobra.Command{
		Use:   "explain PATIENT RULE",
		Short: "Ask a running service why a rule is, or is not, true of a patient",
		Long: `Asks a running service why a rule is true, false or unknown of a patient: at any instant (--at), as known
at any time or position of the log (--known-at), under any rule set that was ever active (--rule-set).
With --compare it says what changed between two instants.

A patient who is called like one of the subcommands is asked about behind two dashes:
vigil explain -- status RULE.`,
		Example: `  vigil explain 123 aki-kdigo-1
  vigil explain 123 aki-kdigo-1 --at 2026-03-01T10:00:00Z --known-at f3.812
  vigil explain 123 aki-kdigo-1 --compare 2026-02-28T10:00:00Z
  vigil explain 123 stay-with-severe-hypoglycaemia --period 2026-02-27T08:15:00Z
  vigil explain 123 aki-kdigo-1 --html why.html
  vigil explain status`,
		Args: patientAndRule,
		RunE: func(c *cobra.Command, args []string) error {
			if err := q.check(a.json()); err != nil {
				return err
			}
			client, err := a.newClient(server, 0)
			if err != nil {
				return err
			}
			defer client.close()
			got, err := client.send(c.Context(), http.MethodGet, q.path(args[0], args[1]), "", nil)
			if err != nil {
				return err
			}
			if got.status != http.StatusOK {
				return got.refused()
			}
			return a.printExplained(got.body, q, server)
		},
	}
	a.addServerFlag(c, &server)
	f := c.Flags()
	f.StringVar(&q.period, "period", "", "when the period begins, of a rule that holds for each one (default: the latest that has begun)")
	f.StringVar(&q.at, "at", "", "the instant to explain, as 2026-03-01T10:00:00Z (default: this instant)")
	f.StringVar(&q.knownAt, "known-at", "", "as known then: a time, or a position such as f3.812 (default: all that is known)")
	f.StringVar(&q.ruleSet, "rule-set", "", "hash, or its first 8 or more digits, of the rule set (default: the one active then)")
	f.StringVar(&q.compare, "compare", "", "say what changed from this instant to --at")
	f.StringVar(&q.compareKnownAt, "compare-known-at", "", "what was known at --compare (default: as --known-at)")
	f.IntVar(&q.facts, "facts", 0, "most facts to show of one window (default: 1000)")
	f.StringVar(&q.minPosition, "min-position", "", "wait until this position, which a write returned, is explained")
	f.DurationVar(&q.timeout, "timeout", 5*time.Second, "how long to wait for --min-position")
	f.StringVar(&q.html, "html", "", "write a page to this file; - is the standard output")
	f.BoolVar(&q.sentence, "sentence", false, "print one sentence")
	c.AddCommand(a.explainStatusCommand(), a.explainVerifyCommand(), a.explainExportCommand())
	return c
}

// patientAndRule is for the command that is asked with both, and has subcommands besides.
func patientAndRule(c *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return missing(c, "PATIENT")
	case 1:
		return fmt.Errorf("%w, or one of its subcommands status, verify and export", missing(c, "RULE"))
	case 2:
		return nil
	}
	return fmt.Errorf("%s takes two arguments, PATIENT and RULE: leave %q out", c.CommandPath(), args[2])
}

// explainQuery is what the flags of explain ask.
type explainQuery struct {
	period                                        string
	at, knownAt, ruleSet, compare, compareKnownAt string
	facts                                         int
	minPosition                                   string
	timeout                                       time.Duration
	html                                          string
	sentence                                      bool
}

func (q *explainQuery) check(asJSON bool) error {
	switch {
	case q.html != "" && q.sentence:
		return misused("--html and --sentence cannot both be printed: leave one out")
	case asJSON && (q.html != "" || q.sentence):
		return misused("--output json prints neither --html nor --sentence: leave one out")
	case q.compare != "" && q.sentence:
		return misused("--sentence says nothing about what changed: leave it out, or leave --compare out")
	case q.compare == "" && q.compareKnownAt != "":
		return misused("--compare-known-at goes with --compare: name the instant to compare with")
	case q.facts < 0:
		return misused("--facts %d: use a number from 1", q.facts)
	}
	return nil
}

func (q *explainQuery) path(patient, rule string) string {
	query := url.Values{}
	for name, value := range map[string]string{"period": q.period, "at": q.at, "known_at": q.knownAt, "rule_set": q.ruleSet, "compare": q.compare,
		"compare_known_at": q.compareKnownAt, "min_position": q.minPosition} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if q.facts > 0 {
		query.Set("facts", strconv.Itoa(q.facts))
	}
	if q.minPosition != "" {
		query.Set("timeout", q.timeout.String())
	}
	path := "/v1/patients/" + url.PathEscape(patient) + "/explain/" + url.PathEscape(rule)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// printExplained prints the service's answer in the way that was asked for.
func (a *app) printExplained(body []byte, q *explainQuery, server string) error {
	if a.json() {
		_, err := a.stdout.Write(body)
		return err
	}
	var e record.Explanation
	var d record.Difference
	var into any = &e
	if q.compare != "" {
		into = &d
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("reading the service's answer: %w; is %s a Vigil of this version?", err, server)
	}
	switch {
	case q.html != "":
		return a.writePage(q.html, func(w io.Writer) error {
			if q.compare != "" {
				return render.HTMLDifference(w, &d, nil)
			}
			return render.HTML(w, &e, nil)
		})
	case q.sentence:
		_, err := fmt.Fprintln(a.stdout, render.Sentence(&e, nil))
		return err
	case q.compare != "":
		return render.TextDifference(a.stdout, &d, a.textOptions(&d.Later))
	}
	return render.Text(a.stdout, &e, a.textOptions(&e))
}

// writePage writes to a file that its owner alone may read: it is about a patient.
func (a *app) writePage(name string, write func(io.Writer) error) error {
	if name == stdinName {
		return write(a.stdout)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}
