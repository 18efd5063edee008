package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

func (a *app) ingestCommand() *cobra.Command {
	var server, state string
	var retry time.Duration
	c := &cobra.Command{
		Use:   "ingest FILE…",
		Short: "Send FHIR or compact observations to a running service",
		Long: `Sends files to a running service, in the order given: FHIR JSON (a resource or a Bundle), NDJSON with
one FHIR resource or one compact observation a line, each also as .gz or .xz, in a .tar, or in a
directory; - is the standard input.

Sending the same file twice changes nothing. A service that is busy or restarting is tried again for
as long as --retry says. With --state, a run that was stopped goes on where it was.`,
		Example: `  vigil ingest patients/
  vigil ingest --state export.state export.ndjson.gz
  zcat monitor.gz | vigil ingest -`,
		Args: some("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.newClient(server, retry)
			if err != nil {
				return err
			}
			defer client.close()
			files, passedOver, err := expand(args)
			if err != nil {
				return err
			}
			remembered, err := loadProgress(state)
			if err != nil {
				return err
			}
			counts := newTally()
			s := &sender{client: client, tally: counts, sent: remembered.sent}
			bar := a.bar(files)
			read, skipped := 0, 0
			err = func() error {
				for _, name := range files {
					done, err := remembered.begin(name)
					if err != nil {
						return fmt.Errorf("reading input: %w", err)
					}
					passed, err := readFile(name, a.stdin, bar.count, func(i item) error {
						read++
						if i.index < done {
							skipped++
							return nil
						}
						return s.add(c.Context(), i)
					})
					passedOver += passed
					if err != nil {
						return errors.Join(err, s.flush(c.Context()))
					}
				}
				return s.flush(c.Context())
			}()
			bar.close()
			err = errors.Join(err, remembered.save())
			if err == nil && read == 0 {
				err = nothing("send", args, passedOver)
			}
			result := counts.summary(skipped)
			result.PassedOver = passedOver
			if a.json() {
				err = errors.Join(err, a.printJSON(result))
			} else if read > 0 {
				result.print(a.stdout)
			}
			if err == nil && result.Refused > 0 {
				return errReported
			}
			return err
		},
	}
	a.addServerFlag(c, &server)
	c.Flags().StringVar(&state, "state", "", "file in which to remember how far the files have been sent")
	c.Flags().DurationVar(&retry, "retry", 2*time.Minute, "how long to try again while the service cannot take a request")
	return c
}

// bar shows how far a command has come, to a person at a terminal and to nobody else. One that cannot be
// drawn is no reason to fail.
type bar struct{ shown *progressbar.ProgressBar }

// bar shows how much of the input has been read.
func (a *app) bar(files []string) bar {
	if !isTerminal(a.stderr) {
		return bar{}
	}
	total := int64(0)
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil { // the standard input, whose length nobody knows
			total = -1
			break
		}
		total += info.Size()
	}
	return bar{progressbar.NewOptions64(total, progressbar.OptionSetWriter(a.stderr), progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription("sending"))}
}

func (b bar) count(r io.Reader) io.Reader {
	if b.shown == nil {
		return r
	}
	reader := progressbar.NewReader(r, b.shown)
	return &reader
}

// add counts one.
func (b bar) add() {
	if b.shown != nil {
		_ = b.shown.Add(1)
	}
}

func (b bar) close() {
	if b.shown != nil {
		_ = b.shown.Finish()
	}
}
