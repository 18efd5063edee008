package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/internal/ucum"
	"github.com/vigil-cds/vigil/rules"
)

func (a *app) unitsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "units",
		Short: "List the spellings of units that are understood, and convert numbers",
		Example: `  vigil units list mmHg
  vigil units convert 1.2 mg/dL umol/L --molar-mass "113.12 g/mol"`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.unitsListCommand(), a.unitsConvertCommand())
	return c
}

// spelling is a way to write a unit, and where it is said what it means.
type spelling struct {
	Spelling string `json:"spelling"`
	UCUM     string `json:"ucum"`
	Site     bool   `json:"site"` // of the site's configuration
}

func (a *app) unitsListCommand() *cobra.Command {
	var from *siteFlags
	c := &cobra.Command{
		Use:   "list [UNIT]",
		Short: "List the spellings that are read as a unit of UCUM, of all units or of one",
		Long: `Units are read in UCUM (https://ucum.org), where capital and small letters differ. What feeds write
instead is read as UCUM where nobody could mean anything else by it: this is the list. A site adds its
own under units: in its configuration.`,
		Example: `  vigil units list
  vigil units list 'mm[Hg]'
  vigil units list --config vigil.yaml`,
		Args: atMostOne("UNIT"),
		RunE: func(_ *cobra.Command, args []string) error {
			own, err := from.load()
			if err != nil {
				return err
			}
			site := own.units
			only := ""
			if len(args) == 1 {
				unit, err := ucum.ParseLoose(args[0], site)
				if err != nil {
					return err
				}
				only = unit.String()
			}
			all := ucum.Aliases()
			maps.Copy(all, site)
			list := []spelling{}
			for _, s := range slices.Sorted(maps.Keys(all)) {
				if _, own := site[s]; only == "" || all[s] == only {
					list = append(list, spelling{s, all[s], own})
				}
			}
			if a.json() {
				return a.printJSON(map[string]any{"spellings": list})
			}
			byUnit := map[string][]string{}
			for _, s := range list {
				text := s.Spelling
				if s.Site {
					text += " (site)"
				}
				byUnit[s.UCUM] = append(byUnit[s.UCUM], text)
			}
			t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "UCUM\tSPELLINGS")
			for _, unit := range slices.Sorted(maps.Keys(byUnit)) {
				fmt.Fprintf(t, "%s\t%s\n", unit, strings.Join(byUnit[unit], " | "))
			}
			return t.Flush()
		},
	}
	from = addSiteFlags(c, "units")
	return c
}

func (a *app) unitsConvertCommand() *cobra.Command {
	var molarMass string
	var of *siteFlags
	var valence int
	c := &cobra.Command{
		Use:   "convert NUMBER FROM TO",
		Short: "Convert a number as rules do",
		Example: `  vigil units convert 98.6 '[degF]' Cel
  vigil units convert 1.2 mg/dL umol/L --molar-mass "113.12 g/mol"
  vigil units convert 10 mg/dL meq/L --molar-mass "40.078 g/mol" --valence 2`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 3 {
				return fmt.Errorf("%s takes a number and two units, as in %s 1.2 mg/dL g/L", c.CommandPath(), c.CommandPath())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			own, err := of.load()
			if err != nil {
				return err
			}
			site := own.units
			x, err := strconv.ParseFloat(args[0], 64)
			if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
				return misused("%q is not a number", args[0])
			}
			if _, err := strconv.ParseFloat(molarMass, 64); err == nil {
				molarMass += " g/mol"
			}
			substance, err := ucum.NewSubstance(molarMass, valence)
			if err != nil {
				return misused("%v; write it as --molar-mass \"113.12 g/mol\"", err)
			}
			from, err := ucum.ParseLoose(args[1], site)
			if err != nil {
				return misused("%v", err)
			}
			to, err := ucum.ParseLoose(args[2], site)
			if err != nil {
				return misused("%v", err)
			}
			conversion, err := substance.Between(from, to)
			if err != nil {
				return err
			}
			y := conversion.Apply(x)
			if math.IsNaN(y) || math.IsInf(y, 0) {
				return fmt.Errorf("converting %s %s: there is no such number of %s", args[0], from, to)
			}
			if a.json() {
				return a.printJSON(map[string]any{"number": x, "from": from.String(), "result": y, "to": to.String(), "substance": substance.String()})
			}
			fmt.Fprintf(a.stdout, "%s %s = %s %s\n", rules.NumberOf(x), from, rules.NumberOf(y), to)
			return nil
		},
	}
	c.Flags().StringVar(&molarMass, "molar-mass", "", "molar mass of the substance, between mass and amount, as in \"113.12 g/mol\"")
	c.Flags().IntVar(&valence, "valence", 0, "equivalents in a mole of it, between amount and equivalents")
	of = addSiteFlags(c, "units")
	return c
}
