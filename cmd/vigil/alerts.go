package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/store"
)

func (a *app) alertsCommand() *cobra.Command {
	var server, now, minPosition string
	var timeout time.Duration
	var all bool
	c := &cobra.Command{
		Use:   "alerts PATIENT",
		Short: "Ask a running service what is active for a patient",
		Example: `  vigil alerts 123
  vigil alerts 123 --now 2026-03-01T10:00:00Z --all
  vigil alerts 123 --output json`,
		Args: one("PATIENT"),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.newClient(server, 0)
			if err != nil {
				return err
			}
			defer client.close()
			query := url.Values{}
			for name, value := range map[string]string{"now": now, "min_position": minPosition} {
				if value != "" {
					query.Set(name, value)
				}
			}
			if all {
				query.Set("all", strconv.FormatBool(all))
			}
			if minPosition != "" {
				query.Set("timeout", timeout.String())
			}
			path := "/v1/patients/" + url.PathEscape(args[0]) + "/alerts"
			if len(query) > 0 {
				path += "?" + query.Encode()
			}
			got, err := client.send(c.Context(), http.MethodGet, path, "", nil)
			if err != nil {
				return err
			}
			if got.status != http.StatusOK {
				return got.refused()
			}
			if a.json() {
				_, err := a.stdout.Write(got.body)
				return err
			}
			var answer shownAnswer
			if err := json.Unmarshal(got.body, &answer); err != nil {
				return fmt.Errorf("reading the service's answer: %w; is %s a Vigil of this version?", err, server)
			}
			answer.print(a.stdout)
			return nil
		},
	}
	a.addServerFlag(c, &server)
	c.Flags().StringVar(&now, "now", "", "the instant to answer for, as 2026-03-01T10:00:00Z (default: this instant)")
	c.Flags().StringVar(&minPosition, "min-position", "", "wait until the answer has seen this position, which a write returned")
	c.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "how long to wait for --min-position")
	c.Flags().BoolVar(&all, "all", false, "show every rule's truth")
	return c
}

// shownAnswer is a store.Answer as its JSON has it: values are printed as they are written there.
type shownAnswer struct {
	Patient    string
	Known      bool
	Now        time.Time
	Position   string
	ValidUntil *time.Time
	RuleSet    string
	Alerts     []struct {
		Rule, Title, Severity, Message string
		Since, Period                  *time.Time
		Values                         map[string]any
	}
	Unknown []store.Unknown
	Rules   []store.Standpoint
}

// show brings an answer that was made in this process to the same form.
func show(a *store.Answer) (shownAnswer, error) {
	var s shownAnswer
	data, err := json.Marshal(a)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(data, &s)
}

func (s *shownAnswer) print(w io.Writer) {
	fmt.Fprintf(w, "patient %s at %s", s.Patient, clinical.At(s.Now))
	if s.ValidUntil != nil {
		fmt.Fprintf(w, ", the same until %s", clinical.At(*s.ValidUntil))
	}
	fmt.Fprintln(w)
	switch {
	case s.RuleSet == "":
		fmt.Fprintln(w, "  no rules are active: activate some with vigil rules activate PATH")
		return
	case !s.Known:
		fmt.Fprintln(w, "  nothing has been received about this patient: check the id")
	}
	for _, alert := range s.Alerts {
		fmt.Fprintf(w, "  %-8s %s: %s%s", strings.ToUpper(alert.Severity), alert.Rule, alert.Title, ofPeriod(alert.Period))
		if alert.Since != nil {
			fmt.Fprintf(w, " (since %s)", clinical.At(*alert.Since))
		}
		fmt.Fprintln(w)
		if alert.Message != "" {
			fmt.Fprintf(w, "           %s\n", strings.TrimSpace(alert.Message))
		}
	}
	if len(s.Alerts) == 0 {
		fmt.Fprintln(w, "  nothing is active")
	}
	for _, u := range s.Unknown {
		fmt.Fprintf(w, "  unknown  %s%s: missing %s\n", u.Rule, ofPeriod(u.Period), strings.Join(u.Missing, ", "))
	}
	for _, r := range s.Rules {
		fmt.Fprintf(w, "  %-8s %s%s\n", r.Truth, r.Rule, ofPeriod(r.Period))
	}
}

// ofPeriod names the period that is spoken of, if one is.
func ofPeriod(start *time.Time) string {
	if start == nil {
		return ""
	}
	return ", period from " + clinical.At(*start).String()
}
