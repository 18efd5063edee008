package config

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// knob is one thing that can be set, as its field declares it.
type knob struct {
	key   string // "kafka.brokers"
	flag  string // "brokers"
	doc   string
	index []int // of the field, from Config down
}

// env is the knob's environment variable: VIGIL_KAFKA_BROKERS.
func (k knob) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.key, ".", "_"))
}

func (k knob) field(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(k.index)
}

// knobs lists every knob in the order of the fields.
func knobs() []knob { return collect(reflect.TypeFor[Config](), "", nil) }

func collect(t reflect.Type, prefix string, index []int) []knob {
	var out []knob
	for i := range t.NumField() {
		f := t.Field(i)
		key := prefix + f.Tag.Get("koanf")
		at := append(index[:len(index):len(index)], i)
		if f.Type.Kind() == reflect.Struct {
			out = append(out, collect(f.Type, key+".", at)...)
			continue
		}
		flag := f.Tag.Get("flag")
		if flag == "" {
			flag = strings.NewReplacer(".", "-", "_", "-").Replace(key)
		}
		out = append(out, knob{key: key, flag: flag, doc: f.Tag.Get("doc"), index: at})
	}
	return out
}

// kind is what the knob takes, for --help.
func (k knob) kind(c *Config) string {
	switch k.field(c).Interface().(type) {
	case []string:
		return "list"
	case map[string]string:
		return "pairs"
	case int:
		return "number"
	case Parameters:
		return "parameters"
	case Bytes:
		return "size"
	case time.Duration:
		return "duration"
	}
	return "text"
}

// text writes the knob's present value as a flag or variable would give it.
func (k knob) text(c *Config) string {
	switch v := k.field(c).Interface().(type) {
	case []string:
		return strings.Join(v, ",")
	case map[string]string:
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, name+"="+v[name])
		}
		return strings.Join(pairs, ",")
	}
	return fmt.Sprint(k.field(c).Interface())
}

// set reads a value as a file (typed) or a variable or flag (always text) gives it. On an error the knob
// keeps what it had; the error says what the value is not.
func (k knob) set(c *Config, raw any) error {
	field := k.field(c)
	if list, ok := field.Addr().Interface().(*[]string); ok {
		return setList(list, raw)
	}
	if p, ok := field.Addr().Interface().(*Parameters); ok {
		return setParameters(p, raw)
	}
	if pairs, ok := field.Addr().Interface().(*map[string]string); ok {
		return setPairs(pairs, raw)
	}
	var text string
	switch v := raw.(type) {
	case string:
		text = strings.TrimSpace(v)
	case int:
		text = strconv.Itoa(v)
	default:
		return fmt.Errorf("%v is not a %s", raw, k.kind(c))
	}
	switch p := field.Addr().Interface().(type) {
	case *string:
		*p = text
	case *Secret:
		*p = Secret(text)
	case *int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is not a whole number up to %d", text, math.MaxInt32)
		}
		*p = int(n)
	case *Bytes:
		n, err := ParseBytes(text)
		if err != nil {
			return err
		}
		*p = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 30s, 1m30s or 500ms", text)
		}
		*p = d
	}
	return nil
}

func setList(list *[]string, raw any) error {
	var out []string
	switch v := raw.(type) {
	case string:
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
	case []any:
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return fmt.Errorf("%v in the list is not a text", item)
			}
			out = append(out, s)
		}
	default:
		return fmt.Errorf("%v is not a list", raw)
	}
	*list = out
	return nil
}

func setPairs(pairs *map[string]string, raw any) error {
	out := map[string]string{}
	switch v := raw.(type) {
	case string:
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item == "" {
				continue
			}
			i := strings.LastIndexByte(item, '=')
			if i < 0 {
				return fmt.Errorf("%q is not a pair such as name=value", item)
			}
			out[strings.TrimSpace(item[:i])] = strings.TrimSpace(item[i+1:])
		}
	case map[string]any:
		for name, value := range v {
			text, ok := value.(string)
			if !ok {
				return fmt.Errorf("%v, which %q is to mean, is not a text", value, name)
			}
			out[name] = text
		}
	default:
		return fmt.Errorf("%v is not names with values", raw)
	}
	*pairs = nil
	if len(out) > 0 {
		*pairs = out
	}
	return nil
}
