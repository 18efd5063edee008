package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/diagnostic"
	"github.com/vigil-cds/vigil/internal/lint"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/rules/packs"
)

const sarif = "sarif"

func (a *app) rulesCheckCommand() *cobra.Command {
	var builtin, strict bool
	var from *siteFlags
	c := &cobra.Command{
		Use:   "check PATH…",
		Short: "Report every fault of rule packs, and what is probably a mistake",
		Long: `Compiles packs and value sets, given as files or as directories, together as one rule set. Every fault is
shown with its line, a caret under the place and what to write instead. A set without faults is read once
more for lints: what is allowed, and most likely not meant.

The exit code is 1 when there are faults, and with --strict also when there are lints.`,
		Example: `  vigil rules check packs/
  vigil rules check --strict renal.yaml valuesets.json
  vigil rules check --output sarif packs/ > packs.sarif`,
		Annotations: map[string]string{alsoOutput: sarif},
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case !builtin:
				return some("PATH")(c, args)
			case len(args) > 0:
				return misused("--builtin checks the packs that this program brings along: leave %q out", args[0])
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			own, err := from.load()
			if err != nil {
				return err
			}
			target := checked{set: own.part(rules.NewSet(packs.Files()...))}
			if !builtin {
				if target, err = filesToCheck(args, own); err != nil {
					return err
				}
			}
			result, err := check(target.set, own.options())
			if err != nil {
				return err
			}
			if err := a.printChecked(target, result); err != nil {
				return err
			}
			if len(result.faults) > 0 || strict && len(result.lints) > 0 {
				return errReported
			}
			return nil
		},
	}
	from = addSiteFlags(c, siteKeys...)
	c.Flags().BoolVar(&builtin, "builtin", false, "check the packs that this program brings along")
	c.Flags().BoolVar(&strict, "strict", false, "fail on lints, too")
	return c
}

// checked is what was read, and what the user calls each of its files.
type checked struct {
	set   *rules.Set
	paths map[string]string
}

func (c checked) path(name string) string {
	if path, ok := c.paths[name]; ok {
		return path
	}
	return name
}

// filesToCheck reads files and directories as one set. Files keep the names that the other commands give
// them, so that the set has the same hash, unless several paths make their names longer.
func filesToCheck(paths []string, own site) (checked, error) {
	out := checked{paths: map[string]string{}}
	var files []clinical.File
	whole := false
	for _, path := range paths {
		set, err := loadRules(path)
		if err != nil {
			return out, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return out, fmt.Errorf("reading rules: %w", err)
		}
		whole = whole || info.IsDir()
		for _, f := range set.Files {
			written := path
			if info.IsDir() {
				written = filepath.Join(path, filepath.FromSlash(f.Name))
			}
			if len(paths) > 1 {
				f.Name = filepath.ToSlash(filepath.Clean(written))
				if _, twice := out.paths[f.Name]; twice {
					continue
				}
			}
			out.paths[f.Name] = written
			files = append(files, f)
		}
	}
	out.set = rules.NewSet(files...)
	if whole {
		out.set = out.set.With(own.parameters)
	} else {
		out.set = own.part(out.set)
	}
	return out, nil
}

// verdict is what a check found. There is a program when there are no faults.
type verdict struct {
	program *rules.Program
	faults  []diagnostic.Diagnostic
	lints   []diagnostic.Diagnostic
}

func check(set *rules.Set, opts rules.CompileOptions) (verdict, error) {
	written, err := rules.Read(set.Files, opts)
	var faults rules.Faults
	switch {
	case errors.As(err, &faults):
		return verdict{faults: diagnostic.OfFaults(faults)}, nil
	case err != nil:
		return verdict{}, err
	}
	return verdict{program: written.Program, lints: lint.Run(written)}, nil
}

func (a *app) printChecked(target checked, v verdict) error {
	all := append(v.faults, v.lints...)
	switch a.output {
	case sarif:
		return diagnostic.SARIF(a.stdout, all, buildVersion().Version, target.path)
	case "json":
		return a.printJSON(checkAnswer{
			OK: len(v.faults) == 0, RuleSet: target.set.Hash(), Faults: findings(v.faults, target), Lints: findings(v.lints, target),
		})
	}
	opts := diagnostic.TextOptions{Color: a.color(), Path: target.path}
	if err := diagnostic.Text(a.stdout, all, target.set.Files, opts); err != nil {
		return err
	}
	in := plural(len(target.set.Files), "file")
	switch {
	case len(v.faults) > 0:
		fmt.Fprintf(a.stdout, "%s in %s\n", plural(len(v.faults), "fault"), in)
	case len(v.lints) > 0:
		fmt.Fprintf(a.stdout, "%s in %s, without fault but with %s; rule set %.12s\n", plural(len(v.program.Rules), "rule"), in,
			plural(len(v.lints), "lint"), v.program.Hash)
	default:
		fmt.Fprintf(a.stdout, "%s in %s, without fault; rule set %.12s\n", plural(len(v.program.Rules), "rule"), in, v.program.Hash)
	}
	return nil
}

// checkAnswer is what a program reads of a check.
type checkAnswer struct {
	OK      bool      `json:"ok"`
	RuleSet string    `json:"ruleSet"`
	Faults  []finding `json:"faults"`
	Lints   []finding `json:"lints"`
}

type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Code    string `json:"code"`
	Problem string `json:"problem"`
	Hint    string `json:"hint,omitempty"`
}

func findings(list []diagnostic.Diagnostic, target checked) []finding {
	out := make([]finding, len(list))
	for i, d := range list {
		out[i] = finding{target.path(d.File), d.Line, d.Col, d.ID, d.Message, d.Hint}
	}
	return out
}
