package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/internal/clinical"
)

func (a *app) explainStatusCommand() *cobra.Command {
	var server string
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how far the explanations have come, and whether they agree with the alerts",
		Example: `  vigil explain status
  vigil explain status --output json`,
		Args: subcommandOnly,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.newClient(server, 0)
			if err != nil {
				return err
			}
			defer client.close()
			got, err := client.send(c.Context(), http.MethodGet, "/v1/explanations/status", "", nil)
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
			var status api.ExplanationsStatus
			if err := json.Unmarshal(got.body, &status); err != nil {
				return fmt.Errorf("reading the service's answer: %w; is %s a Vigil of this version?", err, server)
			}
			return printStatus(a.stdout, &status)
		},
	}
	a.addServerFlag(c, &server)
	return c
}

// subcommandOnly is noArguments for a subcommand of explain, which a patient may be called like.
func subcommandOnly(c *cobra.Command, args []string) error {
	if err := noArguments(c, args); err != nil {
		return fmt.Errorf("%w; to ask about a patient who is called %s, write %s -- %s RULE", err, c.Name(), c.Parent().CommandPath(), c.Name())
	}
	return nil
}

func printStatus(w io.Writer, s *api.ExplanationsStatus) error {
	switch {
	case s.Ready:
		fmt.Fprint(w, "explained up to the end of the log")
	case s.Paused != "":
		fmt.Fprintf(w, "paused: %s", s.Paused)
	default:
		fmt.Fprintf(w, "catching up with the log, %.0f facts/s", s.PerSecond)
		if s.SecondsLeft != nil {
			fmt.Fprintf(w, ", about %s left", time.Duration(*s.SecondsLeft*float64(time.Second)).Round(time.Second))
		}
	}
	fmt.Fprintf(w, "\n%s explained: %d matched with alerts, %d pending", plural(int(s.Explained), "transition"), s.Matched, s.Pending)
	if s.Expired > 0 {
		fmt.Fprintf(w, ", %d whose alerts are not kept any more", s.Expired)
	}
	fmt.Fprintln(w)
	if s.Divergences == 0 {
		fmt.Fprintln(w, "no divergence from the alerts")
	} else {
		fmt.Fprintf(w, "%s from the alerts: see the service's log, and run each again with vigil eval\n", plural(int(s.Divergences), "divergence"))
	}
	if len(s.Partitions) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PARTITION\tEXPLAINED\tEND\tCLOCK\tPENDING")
	for _, p := range s.Partitions {
		clock := "-"
		if p.Clock != nil {
			clock = clinical.At(*p.Clock).String()
		}
		fmt.Fprintf(t, "%d\t%d\t%d\t%s\t%d\n", p.Partition, p.Facts, p.End, clock, p.Pending)
	}
	return t.Flush()
}
