package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/config"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// app is what every command works with.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	output         string // "text" or "json", or what the command has besides
	started        bool   // the command line was understood
	connect        connect
}

// run is the whole program but for the process around it: tests call it. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var misuse *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errReported):
		return exitFailed
	case !a.started || errors.As(err, &misuse) || errors.Is(err, config.ErrInvalid):
		fmt.Fprintf(stderr, "vigil: %v\n", err)
		fmt.Fprintln(stderr, "See vigil --help, or --help after a command.")
		return exitUsage
	}
	fmt.Fprintf(stderr, "vigil: %v\n", err)
	return exitFailed
}

// errReported is returned by a command that failed and has already said why.
var errReported = errors.New("failed")

// usageError is a command used wrongly in a way that only the command itself can see.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func misused(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "vigil",
		Short: "Streaming clinical decision support: FHIR in, the answer for a patient out",
		Long: `Vigil reads clinical data as it comes, keeps every rule's answer for every patient up to date, and
answers "what is active for this patient, now?" in microseconds.`,
		Example: `  vigil serve --rules packs/             run the service on this machine
  vigil ingest export.ndjson.gz          send it data
  vigil alerts 123                       ask about a patient
  vigil explain 123 aki-kdigo-1          ask why
  vigil eval --rules packs/ patient.json the same without a service`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			also := c.Annotations[alsoOutput]
			switch {
			case a.output == "text" || a.output == "json" || a.output == also:
			case also != "":
				return misused("--output %s: use text, json or %s", a.output, also)
			default:
				return misused("--output %s: use text or json", a.output)
			}
			a.started = true
			return nil
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVar(&a.output, "output", "text", "how to print: text or json")
	root.AddCommand(a.demoCommand(), a.serveCommand(), a.ingestCommand(), a.evalCommand(), a.alertsCommand(), a.explainCommand(),
		a.rulesCommand(), a.unitsCommand(), a.replayCommand(), a.sourceCommand(), a.statusCommand(), a.backupCommand(), a.restoreCommand(), a.benchCommand(), a.versionCommand())
	return root
}

// alsoOutput is the annotation of a command that prints in one way more than others do.
const alsoOutput = "output"

// json says whether the output is for a program.
func (a *app) json() bool { return a.output == "json" }

// printJSON writes one value as one line.
func (a *app) printJSON(v any) error { return json.NewEncoder(a.stdout).Encode(v) }
