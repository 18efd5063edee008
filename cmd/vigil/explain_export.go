package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

// exportRetry is how long an export that has begun waits for a service that is busy or restarting.
const exportRetry = time.Minute

func (a *app) explainExportCommand() *cobra.Command {
	var server, out string
	e := &export{query: url.Values{}}
	var from, to string
	c := &cobra.Command{
		Use:   "export --patient PATIENT",
		Short: "Write a patient's explained transitions as NDJSON",
		Long: `Writes every explained transition of a patient, in order, one a line. Each is complete in itself, and
the whole can be checked without a service by vigil explain verify. A file is there under its name
only when it is whole.`,
		Example: `  vigil explain export --patient 123 --out 123.ndjson
  vigil explain export --patient 123 --from 2026-03-01T00:00:00Z --to 2026-04-01T00:00:00Z | gzip > march.ndjson.gz`,
		Args: subcommandOnly,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if e.patient == "" {
				return misused("export needs --patient: name whose explanations to write")
			}
			for name, value := range map[string]string{"from": from, "to": to} {
				if value != "" {
					e.query.Set(name, value)
				}
			}
			if e.client, err = a.newClient(server, 0); err != nil {
				return err
			}
			defer e.client.close()
			e.bar = a.counter("exporting")
			if out == "" {
				err = e.write(c.Context(), a.stdout)
			} else {
				err = inWhole(out, func(w io.Writer) error { return e.write(c.Context(), w) })
			}
			e.bar.close()
			if err != nil {
				return err
			}
			switch {
			case out == "":
				fmt.Fprintln(a.stderr, plural(e.lines, "explanation"))
			case a.json():
				return a.printJSON(map[string]any{"explanations": e.lines, "file": out})
			default:
				fmt.Fprintf(a.stdout, "%s in %s\n", plural(e.lines, "explanation"), out)
			}
			return nil
		},
	}
	a.addServerFlag(c, &server)
	c.Flags().StringVar(&e.patient, "patient", "", "whose explanations to write")
	c.Flags().StringVar(&from, "from", "", "only transitions at this instant or later, as 2026-03-01T10:00:00Z")
	c.Flags().StringVar(&to, "to", "", "only transitions at this instant or earlier")
	c.Flags().StringVar(&out, "out", "", "file to write to (default: the standard output)")
	return c
}

// export asks for page after page.
type export struct {
	client  *client
	patient string
	query   url.Values
	bar     bar
	lines   int
}

// write asks until a page is empty. A page that did not come whole is asked for again.
func (e *export) write(ctx context.Context, w io.Writer) error {
	path := "/v1/patients/" + url.PathEscape(e.patient) + "/explanations?"
	for {
		got, err := e.client.send(ctx, http.MethodGet, path+e.query.Encode(), "", nil)
		if err != nil {
			return err
		}
		if got.status != http.StatusOK {
			return got.refused()
		}
		if len(bytes.TrimSpace(got.body)) == 0 {
			return nil
		}
		var last struct{ Sequence int64 }
		for line := range bytes.Lines(got.body) {
			if err := json.Unmarshal(line, &last); err != nil || last.Sequence < 1 {
				return errors.New("the service's answer holds a line that is no explanation: is it a Vigil of this version?")
			}
			e.lines++
			e.bar.add()
		}
		if _, err := w.Write(got.body); err != nil {
			return fmt.Errorf("writing explanations: %w", err)
		}
		e.query.Set("after", strconv.FormatInt(last.Sequence, 10))
		e.client.retry = exportRetry
	}
}

// inWhole writes a file under its name only once it is whole. It is its owner's alone to read.
func inWhole(name string, write func(io.Writer) error) (err error) {
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	b := bufio.NewWriter(f)
	if err = write(b); err == nil {
		err = errors.Join(b.Flush(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, name); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// counter counts to a person at a terminal.
func (a *app) counter(doing string) bar {
	if !isTerminal(a.stderr) {
		return bar{}
	}
	return bar{progressbar.NewOptions64(-1, progressbar.OptionSetWriter(a.stderr), progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription(doing))}
}
