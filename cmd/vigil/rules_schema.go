package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/rules/schema"
)

func (a *app) rulesSchemaCommand() *cobra.Command {
	documents := []schema.Document{schema.Packs, schema.Tests}
	return &cobra.Command{
		Use:   "schema [pack|test]",
		Short: "Print the JSON Schema of packs, or of files of test cases",
		Long: `Prints the JSON Schema (2020-12) of rule packs, or of the files of test cases beside them, for editors that
complete and check YAML by a schema. In editors with the YAML language server, a pack names its schema in
its first line: # yaml-language-server: $schema=pack.schema.json`,
		Example:   "  vigil rules schema pack > pack.schema.json",
		ValidArgs: []string{"pack", "test"},
		Args:      atMostOne("pack|test"),
		RunE: func(_ *cobra.Command, args []string) error {
			name := schema.Packs.Name
			if len(args) > 0 {
				name = args[0]
			}
			for _, d := range documents {
				if d.Name == name {
					_, err := fmt.Fprintf(a.stdout, "%s", d.JSON())
					return err
				}
			}
			return misused("there is no schema %q: use pack or test", name)
		},
	}
}
