package record

import _ "embed" // schema.json

// SchemaJSON is the JSON Schema (2020-12) of explanations, with that of a Difference under $defs. It is
// only to be read.
//
//go:embed schema.json
var SchemaJSON []byte
