package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/rules"
)

// site is what of a service's configuration its rules depend on: with it a command tries what will run.
type site struct {
	zone       *time.Location // of dates without a time, and of packs that name none
	units      map[string]string
	parameters config.Parameters
}

func (s site) options() rules.CompileOptions {
	return rules.CompileOptions{Zone: s.zone, Units: s.units}
}

// siteKeys are the knobs that a site is made of.
var siteKeys = []string{"zone", "units", "parameters"}

// siteFlags are the flags of a command by which its user says what the site is.
type siteFlags struct {
	file  string
	flags *pflag.FlagSet
}

// addSiteFlags adds --config, and the flags that the service has for these knobs.
func addSiteFlags(c *cobra.Command, keys ...string) *siteFlags {
	s := &siteFlags{flags: pflag.NewFlagSet("site", pflag.ContinueOnError)}
	c.Flags().StringVar(&s.file, "config", "", "the service's configuration file, for the site's zone, units and parameters ["+config.FileVariable+"]")
	config.AddFlags(s.flags, keys...)
	c.Flags().AddFlagSet(s.flags)
	return s
}

// load reads the site from where the service reads it: defaults, file, variables and flags.
func (s *siteFlags) load() (site, error) {
	c, err := config.Load(config.Sources{File: s.file, Environ: os.Environ(), Flags: s.flags})
	if err != nil {
		return site{}, err
	}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return site{}, fmt.Errorf("zone: %w", err)
	}
	return site{zone, c.Units, c.Parameters}, nil
}

// rules reads the packs of a path with the site's own values of their parameters. Of one pack alone those
// of others are left out; a directory is the whole set, and a parameter that it does not have is a fault.
func (s site) rules(path string) (*rules.Set, error) {
	set, err := loadRules(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return set.With(s.parameters), nil
	}
	return s.part(set), nil
}

// part gives packs that are not the whole of what runs at the site their own parameters.
func (s site) part(set *rules.Set) *rules.Set {
	own := config.Parameters{}
	names := set.PackNames()
	for pack, values := range s.parameters {
		if slices.Contains(names, pack) {
			own[pack] = values
		}
	}
	return set.With(own)
}
