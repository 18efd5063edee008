package diagnostic

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// The Static Analysis Results Interchange Format, version 2.1.0 (OASIS, 2020), as much of it as is needed.
const (
	sarifVersion = "2.1.0"
	sarifSchema  = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool     `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID string `json:"id"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   sarifRegion   `json:"region"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn"`
}

// SARIF writes the diagnostics as one SARIF log of one run. Path, where it is not nil, says what a file of
// the set is called; version is that of this program and may be empty. Columns count characters.
func SARIF(w io.Writer, list []Diagnostic, version string, path func(name string) string) error {
	ids := []string{}
	for _, d := range list {
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "vigil", Version: version, Rules: []sarifRule{}}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	for _, id := range ids {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{id})
	}
	for _, d := range list {
		name := d.File
		if path != nil {
			name = path(name)
		}
		text := d.Message
		if d.Hint != "" {
			text += "; " + d.Hint
		}
		index, _ := slices.BinarySearch(ids, d.ID)
		run.Results = append(run.Results, sarifResult{
			RuleID: d.ID, RuleIndex: index, Level: d.Level.String(), Message: sarifText{text},
			Locations: []sarifLocation{{sarifPhysical{sarifArtifact{reference(name)}, sarifRegion{max(d.Line, 1), max(d.Col, 1)}}}},
		})
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(sarifLog{sarifSchema, sarifVersion, []sarifRun{run}})
}

// reference is a path as a URI reference: relative where the path is.
func reference(path string) string {
	path = filepath.ToSlash(path)
	u := url.URL{Path: path}
	if strings.HasPrefix(path, "/") {
		u.Scheme = "file"
	}
	return u.String()
}
