package config

import "log/slog"

// Secret is a value that is read from the environment alone and shows itself nowhere: string(s) is the only
// way to it.
type Secret string

const hidden = "(secret)"

// String hides the value, and says whether there is one.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String, for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// secret says whether the knob's value may be shown nowhere.
func (k knob) secret(c *Config) bool {
	_, is := k.field(c).Interface().(Secret)
	return is
}
