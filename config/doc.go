// Package config is how a Vigil service is set up: what can be set (Config, every knob documented at
// its field), where settings come from (Load: defaults, a YAML file, VIGIL_… variables, flags, the later
// over the earlier), what is wrong with them (Validate and Faults: everything at once), and what holds
// (Print). It knows no other package of Vigil: whoever starts a subsystem hands its part over.
//
// No knob holds a secret, so that what Print writes can be shown to anybody.
package config
