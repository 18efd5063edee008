// Package schema declares the format of rule packs and of files of test cases, key by key: what each is called,
// what it is for and what its value looks like. The reader of packs takes the keys it accepts from here, and the
// JSON Schemas beside this file, with which editors complete and check packs, are written from the same
// declaration. So a key is added in one line, here.
//
// The schemas know less than the reader: what they accept may still have faults, what they refuse always has.
// Nothing here keeps state, and nothing of it may be changed.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
)

// Mapping declares one mapping of a format, such as a rule.
type Mapping struct {
	Name  string // in the schema's definitions
	About string
	Keys  []Key
	Alone bool // it has exactly one of its keys
}

// Key declares one key of a mapping.
type Key struct {
	Name     string
	Value    Type
	About    string
	Required bool
}

// Names are the names of the keys, in the order declared. The caller owns the result.
func (m *Mapping) Names() []string {
	names := make([]string, len(m.Keys))
	for i, k := range m.Keys {
		names[i] = k.Name
	}
	return names
}

// Document is one kind of file.
type Document struct {
	Name  string // of the schema: "pack"
	Root  *Mapping
	Parts []*Mapping // what stands inside, by reference
}

// Type says what a value looks like, as JSON Schema says it.
type Type object

type object = map[string]any

// The types of a single value.
var (
	text        = Type{"type": []string{"string", "number", "boolean"}}
	wholeNumber = Type{"type": "integer", "minimum": 1}
	truth       = Type{"enum": []any{true, false, "true", "false", "unknown"}}
)

func pattern(p string) Type { return Type{"type": "string", "pattern": p} }

func oneOf(words ...string) Type { return Type{"enum": words} }

func listOf(t Type) Type { return Type{"type": "array", "items": t} }

// someOf is a list with at least one entry.
func someOf(t Type) Type { return Type{"type": "array", "items": t, "minItems": 1} }

// named is a mapping whose keys are names that the author gives.
func named(form string, t Type) Type {
	return Type{"type": "object", "propertyNames": object{"pattern": form}, "additionalProperties": t}
}

// single is a mapping with one key that the author gives.
func single(t Type) Type {
	return Type{"type": "object", "additionalProperties": t, "minProperties": 1, "maxProperties": 1}
}

func either(types ...Type) Type { return Type{"anyOf": types} }

// a is what a mapping of the document declares.
func a(mapping string) Type { return Type{"$ref": "#/$defs/" + mapping} }

// JSON writes the document's schema as JSON Schema 2020-12. The caller owns the result.
func (d Document) JSON() []byte {
	root := d.Root.schema()
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = fmt.Sprintf("https://github.com/vigil-cds/vigil/rules/schema/%s.schema.json", d.Name)
	definitions := object{}
	for _, m := range d.Parts {
		definitions[m.Name] = m.schema()
	}
	root["$defs"] = definitions
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(root); err != nil {
		panic("schema: " + err.Error()) // maps, lists and texts always encode
	}
	return b.Bytes()
}

func (m *Mapping) schema() object {
	properties := object{}
	out := object{"type": "object", "description": m.About, "properties": properties, "additionalProperties": false}
	var required []string
	for _, k := range m.Keys {
		property := object{"description": k.About}
		maps.Copy(property, k.Value)
		properties[k.Name] = property
		if k.Required {
			required = append(required, k.Name)
		}
	}
	if required != nil {
		out["required"] = required
	}
	if m.Alone {
		out["minProperties"], out["maxProperties"] = 1, 1
	}
	return out
}
