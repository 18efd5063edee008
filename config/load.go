package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// FileVariable names the configuration file where --config does not.
const FileVariable = envPrefix + "CONFIG"

// TokenVariable is for the commands that ask a service: it has the token that they show.
const TokenVariable = envPrefix + "TOKEN"

const envPrefix = "VIGIL_"

const parametersKey = "parameters"

// Sources is where Load looks besides the defaults. The zero Sources gives the defaults.
type Sources struct {
	File    string         // YAML file; empty: what VIGIL_CONFIG names in Environ, or none
	Environ []string       // as os.Environ gives it
	Flags   *pflag.FlagSet // with the flags that AddFlags added, parsed; nil: none
}

// Load reads the configuration: defaults, then the file, then variables, then flags, each over the ones
// before. The error, when there is one, is Faults: everything that is wrong in all sources, unknown keys
// and variables included, and with the values that came out. The Config returned with it is not to be used.
func Load(s Sources) (Config, error) {
	l := &loader{known: knobs(), config: Default(), source: map[string]string{}, values: koanf.New(".")}
	l.file(s)
	l.environ(s.Environ)
	l.flags(s.Flags)
	for _, k := range l.known {
		if raw := l.values.Get(k.key); raw != nil {
			if err := k.set(&l.config, raw); err != nil {
				l.fault(k.key, err.Error(), "write "+forms[k.kind(&l.config)])
			}
		}
	}
	l.faults = append(l.faults, l.config.faults(l.source)...)
	if len(l.faults) > 0 {
		return l.config, l.faults
	}
	return l.config, nil
}

// forms says how each kind of knob is written.
var forms = map[string]string{
	"list":       "[a, b] in a file, a,b elsewhere",
	"pairs":      "{name: value} in a file, name=value with commas between them elsewhere",
	"number":     "a whole number",
	"size":       "a size such as 16MiB",
	"duration":   "a duration such as 30s or 1m30s",
	"parameters": "{renal: {potassium_limit: 5.8}} in a file, renal.potassium_limit=5.8 elsewhere",
	"text":       "a text, in quotes where YAML would read it as something else",
}

type loader struct {
	known  []knob
	config Config
	values *koanf.Koanf      // the sources so far, the later over the earlier
	source map[string]string // key → where its value came from
	faults Faults
}

func (l *loader) fault(key, problem, mend string) {
	l.faults = append(l.faults, Fault{Key: key, Source: l.source[key], Problem: problem, Mend: mend})
}

// merge lays one source over the others.
func (l *loader) merge(p koanf.Provider, parser koanf.Parser, source func(key string) string) {
	layer := koanf.New(".")
	if err := layer.Load(p, parser); err != nil {
		l.faults = append(l.faults, Fault{Source: source(""), Problem: err.Error(), Mend: "name a file with --config or " + FileVariable + " that can be read and is YAML as vigil serve --print-config writes it"})
		return
	}
	taken := map[string]any{}
	keys := layer.Keys()
	if slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(key, parametersKey+".") }) {
		keys = slices.DeleteFunc(keys, func(key string) bool { return strings.HasPrefix(key, parametersKey+".") })
		keys = append(keys, parametersKey) // its names are those of packs
	}
	for _, key := range keys {
		key = l.whole(key)
		if _, met := l.source[key]; met && taken[key] != nil {
			continue
		}
		if l.take(key, layer.Get(key), source(key)) {
			taken[key] = layer.Get(key)
			l.source[key] = source(key)
		}
	}
	if err := l.values.Load(confmap.Provider(taken, "."), nil); err != nil {
		l.faults = append(l.faults, Fault{Source: source(""), Problem: err.Error()})
	}
}

// whole is the knob that a key is a part of, where the knob holds pairs, and else the key itself.
func (l *loader) whole(key string) string {
	for _, k := range l.known {
		if k.kind(&l.config) == "pairs" && strings.HasPrefix(key, k.key+".") {
			return k.key
		}
	}
	return key
}

// take says whether a key is a knob with something in it, and reports it when it is no knob.
func (l *loader) take(key string, value any, source string) bool {
	if slices.ContainsFunc(l.known, func(k knob) bool { return k.key == key }) {
		return value != nil
	}
	section := slices.ContainsFunc(l.known, func(k knob) bool { return strings.HasPrefix(k.key, key+".") })
	switch empty, ok := value.(map[string]any); {
	case section && (value == nil || ok && len(empty) == 0):
	case section:
		l.faults = append(l.faults, Fault{Key: key, Source: source, Problem: "it is a section, not a knob",
			Mend: "put its knobs under it, indented"})
	default:
		l.faults = append(l.faults, Fault{Key: key, Source: source, Problem: "there is no such knob",
			Mend: didYouMean(key, l.names(func(k knob) string { return k.key }))})
	}
	return false
}

func (l *loader) names(of func(knob) string) []string {
	out := make([]string, len(l.known))
	for i, k := range l.known {
		out[i] = of(k)
	}
	return out
}

func (l *loader) file(s Sources) {
	name := s.File
	if name == "" {
		for _, pair := range s.Environ {
			if value, ok := strings.CutPrefix(pair, FileVariable+"="); ok {
				name = value
			}
		}
	}
	if name == "" {
		return
	}
	l.merge(file.Provider(name), yaml.Parser(), func(string) string { return name })
	for _, k := range l.known {
		if k.secret(&l.config) && l.source[k.key] != "" {
			l.fault(k.key, "a secret does not belong into a file of settings", "take it out, and set "+k.env()+" or "+k.key+"_file")
		}
	}
}

// fromKubernetes matches the variables that Kubernetes sets in every container for a Service whose name
// begins with vigil; they are not ours and not a person's mistake.
var fromKubernetes = regexp.MustCompile(`^VIGIL_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)$`)

func (l *loader) environ(environ []string) {
	keys := map[string]string{}
	for _, k := range l.known {
		keys[k.env()] = k.key
	}
	provider := env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			key := keys[name]
			if key == "" && name != FileVariable && name != TokenVariable && !fromKubernetes.MatchString(name) {
				l.faults = append(l.faults, Fault{Key: name, Problem: "there is no such variable",
					Mend: didYouMean(name, l.names(knob.env))})
			}
			return key, value
		},
	})
	l.merge(provider, nil, func(key string) string {
		return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
	})
}

func (l *loader) flags(flags *pflag.FlagSet) {
	if flags == nil {
		return
	}
	names := map[string]string{}
	keys := map[string]string{}
	for _, k := range l.known {
		keys[k.flag] = k.key
		names[k.key] = "--" + k.flag
	}
	provider := posflag.ProviderWithFlag(flags, ".", nil, func(f *pflag.Flag) (string, any) {
		if !f.Changed {
			return "", nil
		}
		return keys[f.Name], f.Value.String()
	})
	l.merge(provider, nil, func(key string) string { return names[key] })
}

// AddFlags adds one flag for every knob that is no secret, or for those with the given keys, with its documentation and
// default. Their values are read, and faults in them reported together with all others, by Load.
func AddFlags(flags *pflag.FlagSet, keys ...string) {
	defaults := Default()
	for _, k := range knobs() {
		if k.secret(&defaults) || len(keys) > 0 && !slices.Contains(keys, k.key) {
			continue
		}
		flags.Var(&flagValue{text: k.text(&defaults), kind: k.kind(&defaults)}, k.flag, k.doc+" ["+k.env()+"]")
	}
}

// flagValue keeps a flag's text for Load to read.
type flagValue struct{ text, kind string }

func (v *flagValue) String() string { return v.text }
func (v *flagValue) Type() string   { return v.kind }

// Set keeps the text; of a flag given twice the last holds.
func (v *flagValue) Set(s string) error { v.text = s; return nil }

var _ pflag.Value = (*flagValue)(nil)
