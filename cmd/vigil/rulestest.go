package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/rulesrun"
	"github.com/vigil-cds/vigil/internal/rulestest"
	"github.com/vigil-cds/vigil/rules"
)

// testOptions are how rules test was asked.
type testOptions struct {
	from      *siteFlags
	run       string
	verbose   bool
	junit     string
	coverage  bool
	least     float64
	mutate    bool
	mutateFor time.Duration
}

func (a *app) rulesTestCommand() *cobra.Command {
	var o testOptions
	c := &cobra.Command{
		Use:   "test PATH…",
		Short: "Run the test cases beside rule packs",
		Long: `Runs the cases of every _test.yaml file of a directory and below, or those of one pack, or of one file of
cases. Each case runs through the engine and through the reference evaluator, and both must say what it
expects. What cases look like is in rules/README.md.

--coverage shows which parts of each condition the cases saw true, false and unknown. --mutate changes
thresholds and windows a little, one at a time, and lists the changes that no case notices.`,
		Example: `  vigil rules test packs/
  vigil rules test packs/renal.yaml --run aki -v
  vigil rules test packs/ --coverage --coverage-min 100 --junit report.xml
  vigil rules test packs/renal.yaml --mutate`,
		Args: some("PATH"),
		RunE: func(c *cobra.Command, args []string) error { return a.testRules(args, o) },
	}
	o.from = addSiteFlags(c, siteKeys...)
	c.Flags().StringVar(&o.run, "run", "", "run only cases whose \"rule: name\" matches this regular expression")
	c.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "show the cases that pass, too")
	c.Flags().StringVar(&o.junit, "junit", "", "write a report in JUnit XML to this file")
	c.Flags().BoolVar(&o.coverage, "coverage", false, "show what the cases saw of each rule's condition")
	c.Flags().Float64Var(&o.least, "coverage-min", 0, "fail when the coverage is less than so many per cent")
	c.Flags().BoolVar(&o.mutate, "mutate", false, "show which small changes of the rules no case notices")
	c.Flags().DurationVar(&o.mutateFor, "mutate-for", 5*time.Minute, "stop trying changes after this long")
	return c
}

// tested is what rules test prints.
type tested struct {
	Passed       bool                    `json:"passed"`
	Cases        []rulesrun.Result       `json:"cases"`
	CoverageOf   []rulesrun.RuleCoverage `json:"coverage,omitempty"`
	CoverageRate *float64                `json:"coveragePercent,omitempty"`
	Mutations    []*rulesrun.Mutation    `json:"mutations,omitempty"` // by path
	Faults       rules.Faults            `json:"faults"`
}

func (a *app) testRules(paths []string, o testOptions) error {
	own, err := o.from.load()
	if err != nil {
		return err
	}
	wanted, err := regexp.Compile(o.run)
	if err != nil {
		return misused("--run %s: %v", o.run, err)
	}
	if o.least < 0 || o.least > 100 {
		return misused("--coverage-min %g: use a number of per cent from 0 to 100", o.least)
	}
	began := time.Now()
	out := tested{Passed: true, Cases: []rulesrun.Result{}, Faults: rules.Faults{}}
	for _, path := range paths {
		if err := a.testPath(path, own, wanted, o, &out); err != nil {
			return err
		}
	}
	if len(out.Cases) == 0 && len(out.Faults) == 0 {
		return fmt.Errorf("no test case in %s matches --run %s", strings.Join(paths, ", "), o.run)
	}
	if o.junit != "" {
		if err := writeJUnit(o.junit, out.Cases); err != nil {
			return err
		}
	}
	if o.coverage || o.least > 0 {
		share := rulesrun.Share(out.CoverageOf)
		out.CoverageRate = &share
		out.Passed = out.Passed && share >= o.least
	} else {
		out.CoverageOf = nil
	}
	if a.json() {
		err = a.printJSON(out)
	} else {
		err = a.printTested(&out, o, time.Since(began))
	}
	if err == nil && !out.Passed {
		return errReported
	}
	return err
}

func writeJUnit(name string, results []rulesrun.Result) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	if err := errors.Join(rulesrun.JUnit(f, results), f.Close()); err != nil {
		return fmt.Errorf("writing the JUnit report %s: %w", name, err)
	}
	return nil
}

func (a *app) printTested(out *tested, o testOptions, took time.Duration) error {
	failed, checks := 0, 0
	for i := range out.Cases {
		r := &out.Cases[i]
		checks += r.Checks
		if !r.Passed {
			failed++
		}
		if o.verbose || !r.Passed {
			if err := r.Text(a.stdout); err != nil {
				return err
			}
		}
	}
	if len(out.Faults) > 0 {
		fmt.Fprintln(a.stdout, out.Faults)
	}
	if o.coverage {
		if err := rulesrun.CoverageText(a.stdout, out.CoverageOf); err != nil {
			return err
		}
	}
	for _, m := range out.Mutations {
		if err := m.Text(a.stdout); err != nil {
			return err
		}
	}
	if out.CoverageRate != nil && *out.CoverageRate < o.least {
		fmt.Fprintf(a.stdout, "FAIL: the coverage is %.1f %%, and --coverage-min asks for %g %%\n", *out.CoverageRate, o.least)
	}
	word := "ok"
	if !out.Passed {
		word = "FAIL"
	}
	fmt.Fprintf(a.stdout, "%s: %s, %s, %d passed, %d failed", word, plural(len(out.Cases), "case"), plural(checks, "expectation"), len(out.Cases)-failed, failed)
	if len(out.Faults) > 0 {
		fmt.Fprintf(a.stdout, ", %s in files", plural(len(out.Faults), "fault"))
	}
	_, err := fmt.Fprintf(a.stdout, " (%.2fs)\n", took.Seconds())
	return err
}

// testPath runs the cases of one path, and adds what became of them.
func (a *app) testPath(path string, own site, wanted *regexp.Regexp, o testOptions, out *tested) error {
	found, err := findCases(path, own)
	if err != nil {
		return err
	}
	refuse := func(err error) error {
		var faults rules.Faults
		if !errors.As(err, &faults) {
			return err
		}
		out.Faults, out.Passed = append(out.Faults, faults...), false
		return nil
	}
	suite, err := rulestest.NewSuite(found.files, own.options())
	if err != nil {
		return refuse(err)
	}
	var cases []rulestest.Case
	for _, file := range found.cases {
		folder := filepath.Join(found.folder, filepath.Dir(filepath.FromSlash(file.Name)))
		some, err := suite.ParseBeside(file, func(name string) ([]byte, error) {
			return os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		})
		if err != nil {
			if err := refuse(err); err != nil {
				return err
			}
		}
		cases = append(cases, some...)
	}
	cases = slices.DeleteFunc(cases, func(c rulestest.Case) bool { return !wanted.MatchString(c.Rule + ": " + c.Name) })
	runners, seen := rulesrun.Runners{}, rulesrun.NewCoverage(suite.Program())
	for i := range cases {
		began := time.Now()
		r := runners.Of(&cases[i]).Run(&cases[i], seen)
		r.Took = time.Since(began)
		out.Cases, out.Passed = append(out.Cases, r), out.Passed && r.Passed
	}
	out.CoverageOf = append(out.CoverageOf, seen.Rules()...)
	if !o.mutate {
		return nil
	}
	until, shown := time.Now().Add(o.mutateFor), bar{}
	mutation, err := rulesrun.Mutate(found.files, cases, rulesrun.MutateOptions{Compile: own.options(),
		Progress: func(done, of int) bool {
			if shown.shown == nil && isTerminal(a.stderr) {
				shown = bar{progressbar.NewOptions(of, progressbar.OptionSetWriter(a.stderr), progressbar.OptionShowCount(),
					progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription("changing"))}
			}
			shown.add()
			return time.Now().Before(until)
		}})
	shown.close()
	if err != nil {
		return refuse(err)
	}
	out.Mutations = append(out.Mutations, mutation)
	return nil
}

// foundCases is a rule set and the files of cases beside its packs, named from a folder.
type foundCases struct {
	folder string
	files  []clinical.File
	cases  []clinical.File
}

// findCases finds the rule set and the cases of a path: of a directory, all in it and below; of a pack, its
// own file of cases, the pack being tested with the value sets beside it; of a file of cases, those of the
// pack of its name, or where there is none of all packs beside it.
func findCases(path string, own site) (foundCases, error) {
	info, err := os.Stat(path)
	if err != nil {
		return foundCases{}, fmt.Errorf("reading rules: %w; name a rule pack, its test cases, or a directory of them", err)
	}
	if info.IsDir() {
		found, err := findAllCases(path)
		found.files = rules.NewSet(found.files...).With(own.parameters).Files
		return found, err
	}
	all, err := findAllCases(filepath.Dir(path))
	if err != nil {
		return foundCases{}, err
	}
	name := filepath.Base(path)
	pack, cases := name, strings.TrimSuffix(name, filepath.Ext(name))+"_test"+filepath.Ext(name)
	if isCaseFile(name) {
		pack, cases = strings.TrimSuffix(strings.TrimSuffix(name, filepath.Ext(name)), "_test")+filepath.Ext(name), name
	}
	only := func(files []clinical.File, wanted func(name string) bool) []clinical.File {
		return slices.DeleteFunc(slices.Clone(files), func(f clinical.File) bool { return !wanted(f.Name) })
	}
	if len(only(all.files, func(n string) bool { return n == pack })) > 0 {
		all.files = only(all.files, func(n string) bool { return n == pack || filepath.Ext(n) == ".json" })
	}
	if all.cases = only(all.cases, func(n string) bool { return n == cases }); len(all.cases) == 0 {
		return foundCases{}, fmt.Errorf("%s has no test cases: write them to %s beside it", path, cases)
	}
	all.files = own.part(rules.NewSet(all.files...)).Files
	return all, nil
}

func findAllCases(folder string) (foundCases, error) {
	found := foundCases{folder: folder}
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !isCaseFile(d.Name()) {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, name)
		if err != nil {
			return err
		}
		found.cases = append(found.cases, clinical.File{Name: filepath.ToSlash(relative), Data: data})
		return nil
	})
	if err != nil {
		return found, fmt.Errorf("reading test cases: %w", err)
	}
	if len(found.cases) == 0 {
		return found, fmt.Errorf("reading test cases: %s holds none; the cases of renal.yaml are in renal_test.yaml", folder)
	}
	set, err := loadRules(folder)
	if err != nil {
		return found, err
	}
	found.files = set.Files
	return found, nil
}

func isCaseFile(name string) bool {
	return strings.HasSuffix(name, "_test.yaml") || strings.HasSuffix(name, "_test.yml")
}
