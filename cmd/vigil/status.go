package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/processor"
)

// errNotReady is the result of vigil status for a service that is not ready.
var errNotReady = errors.New("not every partition is answered for yet; ask again")

// readiness is what /readyz answers, ready or not.
type readiness struct {
	Status     string                      `json:"status"` // absent of one that is not ready
	Detail     string                      `json:"detail"`
	Partitions []processor.PartitionStatus `json:"partitions"`
}

func (a *app) statusCommand() *cobra.Command {
	var server string
	c := &cobra.Command{
		Use:   "status",
		Short: "Show whether the service is ready, and how far each partition is",
		Long: `Shows how this instance stands to each partition: whether it answers for it, keeps a copy of it, or is
still bringing it back from the log, and then how far it is and about how long it will take. The exit code
is 1 until the service is ready.`,
		Example: `  vigil status
  vigil status --server http://10.0.0.7:8080 --output json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.newClient(server, 0)
			if err != nil {
				return err
			}
			defer client.close()
			got, err := client.send(c.Context(), http.MethodGet, "/readyz", "", nil)
			if err != nil {
				return err
			}
			var now readiness
			if err := json.Unmarshal(got.body, &now); err != nil || got.status != http.StatusOK && got.status != http.StatusServiceUnavailable {
				return fmt.Errorf("reading the service's answer: %w", errors.Join(got.refused(), err))
			}
			if a.json() {
				_, err = a.stdout.Write(got.body)
			} else {
				err = a.printReadiness(now)
			}
			if err == nil && got.status != http.StatusOK {
				return errNotReady
			}
			return err
		},
	}
	a.addServerFlag(c, &server)
	return c
}

func (a *app) printReadiness(now readiness) error {
	if now.Status != "" {
		fmt.Fprintln(a.stdout, now.Status)
	}
	if now.Detail != "" {
		fmt.Fprintln(a.stdout, now.Detail)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, p := range now.Partitions {
		fmt.Fprintf(w, "partition %d\t%s\tat %d", p.Partition, p.State, p.At)
		if p.State == processor.PartitionRecovering || p.State == processor.PartitionWarming {
			fmt.Fprintf(w, " of %d", p.End-1)
		}
		if p.SecondsLeft != nil {
			fmt.Fprintf(w, "\t%.0f records/s, about %s left", p.PerSecond, time.Duration(*p.SecondsLeft*float64(time.Second)).Round(time.Second))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
