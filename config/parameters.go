package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Parameters are a site's own values of what its rule packs let it set, by pack and name, as texts. What
// they may be the packs say: the rules are compiled with them.
type Parameters map[string]map[string]string

// String writes them as a flag or a variable gives them: "renal.potassium_limit=5.8,renal.lookback=24h".
func (p Parameters) String() string {
	var out []string
	for _, pack := range slices.Sorted(maps.Keys(p)) {
		for _, name := range slices.Sorted(maps.Keys(p[pack])) {
			out = append(out, pack+"."+name+"="+p[pack][name])
		}
	}
	return strings.Join(out, ",")
}

func (p Parameters) put(pack, name, value string) {
	if p[pack] == nil {
		p[pack] = map[string]string{}
	}
	p[pack][name] = value
}

// setParameters reads them as a file gives them, a mapping of packs, or as one text.
func setParameters(to *Parameters, raw any) error {
	out := Parameters{}
	switch v := raw.(type) {
	case string:
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item == "" {
				continue
			}
			key, value, assigned := strings.Cut(item, "=")
			pack, name, dotted := strings.Cut(strings.TrimSpace(key), ".")
			if !assigned || !dotted {
				return fmt.Errorf("%q is not pack.parameter=value", item)
			}
			out.put(pack, name, strings.TrimSpace(value))
		}
	case map[string]any:
		for pack, of := range v {
			values, ok := of.(map[string]any)
			if !ok {
				return fmt.Errorf("what stands under %q is not a list of parameters with their values", pack)
			}
			for name, value := range values {
				switch value.(type) {
				case nil, map[string]any, []any:
					return fmt.Errorf("%s.%s is not one value", pack, name)
				}
				out.put(pack, name, fmt.Sprint(value))
			}
		}
	default:
		return fmt.Errorf("%v is not a list of packs with their parameters", raw)
	}
	*to = nil
	if len(out) > 0 {
		*to = out
	}
	return nil
}
