package config

import (
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
)

// Print writes the configuration as a YAML file that Load reads back to the same, every knob under its
// documentation and with the variable and the flag that set it, too. Secrets are not in it.
func (c *Config) Print(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Vigil's configuration. Of the sources a later one wins: defaults, this file, variables, flags.\n")
	var open []string // the sections that the present line is in
	for _, k := range knobs() {
		path := strings.Split(k.key, ".")
		sections, name := path[:len(path)-1], path[len(path)-1]
		same := true
		for i, section := range sections {
			if same = same && i < len(open) && open[i] == section; !same {
				fmt.Fprintf(&b, "\n%s%s:", strings.Repeat("  ", i), section)
			}
		}
		open = sections
		indent := strings.Repeat("  ", len(sections))
		b.WriteByte('\n')
		for _, line := range wrap(k.doc, 96-len(indent)) {
			fmt.Fprintf(&b, "%s# %s\n", indent, line)
		}
		if k.secret(c) {
			fmt.Fprintf(&b, "%s# %s alone\n", indent, k.env())
			continue
		}
		value, err := k.yaml(c)
		if err != nil {
			return fmt.Errorf("config: writing %s: %w", k.key, err)
		}
		fmt.Fprintf(&b, "%s# %s, --%s\n%s%s: %s\n", indent, k.env(), k.flag, indent, name, value)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (k knob) yaml(c *Config) (string, error) {
	var value any = k.text(c)
	switch v := k.field(c).Interface().(type) {
	case int:
		value = v
	case []string:
		value = append([]string{}, v...)
	case Parameters:
		if value = v; v == nil {
			value = Parameters{}
		}
	case map[string]string:
		value = v
		if v == nil {
			value = map[string]string{}
		}
	}
	out, err := yaml.MarshalWithOptions(value, yaml.Flow(true), yaml.JSON())
	return strings.TrimSpace(string(out)), err
}

// wrap breaks a text at spaces into lines of at most width characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
