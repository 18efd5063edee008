package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// noArguments is for a command that takes flags only.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument: leave %q out", c.CommandPath(), args[0])
	}
	return nil
}

// one is for a command with one argument of that name.
func one(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return missing(c, name)
		case 1:
			return nil
		}
		return tooMany(c, name, args[1])
	}
}

// atMostOne is for a command whose argument of that name can be left out.
func atMostOne(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return tooMany(c, name, args[1])
		}
		return nil
	}
}

// some is for a command with one or more arguments of that name.
func some(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return missing(c, name)
		}
		return nil
	}
}

func missing(c *cobra.Command, name string) error {
	return fmt.Errorf("the argument %s is missing: %s %s", name, c.Parent().CommandPath(), c.Use)
}

func tooMany(c *cobra.Command, name, extra string) error {
	return fmt.Errorf("%s takes one argument, %s: leave %q out", c.CommandPath(), name, extra)
}
