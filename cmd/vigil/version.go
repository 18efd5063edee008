package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/internal/api"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what this program was built from",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			if a.json() {
				return a.printJSON(v)
			}
			fmt.Fprintf(a.stdout, "vigil %s (%s)\n", v.Version, v.Go)
			if v.Commit != "" {
				fmt.Fprintf(a.stdout, "commit %s\n", v.Commit)
			}
			return nil
		},
	}
}

// buildVersion is what the Go toolchain wrote into the binary.
func buildVersion() api.Version {
	v := api.Version{Version: "devel", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	changed := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if v.Commit != "" && changed {
		v.Commit += " with changes"
	}
	return v
}
