package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/rules"
)

func (a *app) rulesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rules",
		Short: "Write, check, test, list and activate rule packs",
		Example: `  vigil rules init packs/
  vigil rules check packs/
  vigil rules activate packs/`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.rulesInitCommand(), a.rulesCheckCommand(), a.rulesFormatCommand(), a.rulesTestCommand(), a.rulesPlanCommand(), a.rulesSchemaCommand(), a.rulesListCommand(), a.rulesActivateCommand())
	return c
}

// compile reads and compiles a path as it would run at the site; the set comes back with faults, too.
func compile(path string, s site) (*rules.Set, *rules.Program, error) {
	set, err := s.rules(path)
	if err != nil {
		return nil, nil, err
	}
	program, err := rules.Compile(set.Files, s.options())
	return set, program, err
}

func (a *app) rulesListCommand() *cobra.Command {
	var server string
	var from *siteFlags
	var valueSets bool
	c := &cobra.Command{
		Use:   "list [PATH]",
		Short: "List the rules of a pack or directory, or those active in a running service",
		Example: `  vigil rules list packs/
  vigil rules list --valuesets packs/
  vigil rules list --server http://127.0.0.1:8080`,
		Args: atMostOne("PATH"),
		RunE: func(c *cobra.Command, args []string) error {
			var list ruleList
			if valueSets && len(args) == 0 {
				return misused("--valuesets lists those of files: name the PATH of a directory of packs")
			}
			if len(args) == 1 {
				own, err := from.load()
				if err != nil {
					return err
				}
				_, program, err := compile(args[0], own)
				if err != nil {
					return err
				}
				if valueSets {
					return a.listValueSets(program)
				}
				list = listOf(program)
			} else {
				client, err := a.newClient(server, 0)
				if err != nil {
					return err
				}
				defer client.close()
				got, err := client.send(c.Context(), http.MethodGet, "/v1/rules", "", nil)
				if err != nil {
					return err
				}
				if got.status != http.StatusOK {
					return got.refused()
				}
				if err := json.Unmarshal(got.body, &list); err != nil {
					return fmt.Errorf("reading the service's answer: %w", err)
				}
			}
			if a.json() {
				return a.printJSON(list)
			}
			t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "RULE\tVERSION\tSEVERITY\tTITLE\tSOURCE")
			for _, r := range list.Rules {
				fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\n", r.ID, r.Version, r.Severity, r.Title, r.Source)
			}
			if err := t.Flush(); err != nil {
				return err
			}
			return a.printParameters(list.Parameters)
		},
	}
	a.addServerFlag(c, &server)
	from = addSiteFlags(c, siteKeys...)
	c.Flags().BoolVar(&valueSets, "valuesets", false, "list the value sets instead: their codes, versions and users")
	return c
}

type ruleList struct {
	RuleSet    string            `json:"ruleSet"`
	Rules      []listedRule      `json:"rules"`
	Parameters []listedParameter `json:"parameters,omitempty"`
}

type listedRule struct {
	ID       string `json:"id"`
	Pack     string `json:"pack"`
	Version  int    `json:"version"`
	Title    string `json:"title"`
	Severity string `json:"severity"`
	ForEach  string `json:"forEach,omitempty"`
	Source   string `json:"source,omitempty"`
}

func listOf(p *rules.Program) ruleList {
	list := ruleList{RuleSet: p.Hash, Rules: []listedRule{}, Parameters: listedParameters(p)}
	for _, r := range p.Rules {
		list.Rules = append(list.Rules, listedRule{ID: r.ID, Pack: r.Pack, Version: r.Version, Title: r.Title,
			Severity: r.Severity.String(), ForEach: p.ForEach(r), Source: r.Source})
	}
	return list
}

func (a *app) rulesActivateCommand() *cobra.Command {
	var server string
	c := &cobra.Command{
		Use:   "activate PATH",
		Short: "Make a rule set active in a running service",
		Long: `Sends a pack, or a directory of packs and value sets, to a running service and makes it active there,
in place of what was. A set with faults is refused, and what was active stays.`,
		Example: "  vigil rules activate packs/",
		Args:    one("PATH"),
		RunE: func(c *cobra.Command, args []string) error {
			set, err := loadRules(args[0])
			if err != nil {
				return err
			}
			type file struct {
				Name string `json:"name"`
				Data string `json:"data"`
			}
			var body struct {
				Files []file `json:"files"`
			}
			for _, f := range set.Files {
				body.Files = append(body.Files, file{f.Name, string(f.Data)})
			}
			data, err := json.Marshal(body)
			if err != nil {
				return err
			}
			client, err := a.newClient(server, 30*time.Second)
			if err != nil {
				return err
			}
			defer client.close()
			got, err := client.send(c.Context(), http.MethodPost, "/v1/rules/activate", "application/json", data)
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
			var active struct {
				RuleSet string `json:"ruleSet"`
			}
			if err := json.Unmarshal(got.body, &active); err != nil {
				return fmt.Errorf("reading the service's answer: %w", err)
			}
			fmt.Fprintf(a.stdout, "rule set %.12s is active\n", active.RuleSet)
			return nil
		},
	}
	a.addServerFlag(c, &server)
	return c
}
