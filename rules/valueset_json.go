package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxValueSetNesting is how deep codes may contain codes.
const maxValueSetNesting = 64

// jsonFile is a file in JSON, kept so that a place in it can be found again.
type jsonFile struct {
	name  string
	data  []byte
	lines []int // offsets at which lines begin; filled when first asked

	faults int // so far
}

// maxFileFaults is how many faults of one file are reported: what a program wrote wrongly is wrong in every
// line, and a person reads no more.
const maxFileFaults = 50

// fault reports what is wrong at a byte offset.
func (f *jsonFile) fault(r *report, offset int, problem, hint string) {
	switch f.faults++; {
	case f.faults <= maxFileFaults:
		r.add(f.place(offset), problem, hint)
	case f.faults == maxFileFaults+1:
		r.add(f.place(offset), "the file has more faults, from here on", "mend these first")
	}
}

// line is the line of a byte offset, from 1.
func (f *jsonFile) line(offset int) int {
	if f.lines == nil {
		f.lines = []int{0}
		for i, b := range f.data {
			if b == '\n' {
				f.lines = append(f.lines, i+1)
			}
		}
	}
	line, found := slices.BinarySearch(f.lines, offset)
	if !found {
		line--
	}
	return line + 1
}

// place is the line and column of a byte offset.
func (f *jsonFile) place(offset int) position {
	offset = min(max(offset, 0), len(f.data))
	line := f.line(offset)
	return position{f.name, line, utf8.RuneCount(f.data[f.lines[line-1]:offset]) + 1}
}

// jsonReader walks a file value by value without holding it as a tree, since value sets are large. Whoever
// walks asks for what should come; what is something else is a fault at its place and is stepped over.
type jsonReader struct {
	*jsonFile
	report  *report
	decoder *json.Decoder
	start   int // of data in the file
}

// openJSON checks that the data is JSON; false after a fault.
func openJSON(name string, data []byte, r *report) (*jsonReader, bool) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	f := &jsonFile{name: name, data: data}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		offset := 0
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			offset = int(syntax.Offset) - 1
		}
		f.fault(r, offset, "not a FHIR resource in JSON: "+err.Error(), "")
		return nil, false
	}
	return f.reader(r, 0), true
}

func (f *jsonFile) reader(r *report, start int) *jsonReader {
	d := json.NewDecoder(bytes.NewReader(f.data[start:]))
	d.UseNumber()
	return &jsonReader{jsonFile: f, report: r, decoder: d, start: start}
}

// next is where the next value begins.
func (j *jsonReader) next() int {
	at := j.start + int(j.decoder.InputOffset())
	for at < len(j.data) && strings.IndexByte(" \t\r\n:,", j.data[at]) >= 0 {
		at++
	}
	return at
}

func (j *jsonReader) token() json.Token {
	t, err := j.decoder.Token()
	if err != nil {
		return nil // the data is known to be JSON
	}
	return t
}

// skip steps over the next value.
func (j *jsonReader) skip() { j.rest(j.token()) }

// rest steps over what is left of a value of which the first token has been read.
func (j *jsonReader) rest(first json.Token) {
	if _, open := first.(json.Delim); !open {
		return
	}
	for depth := 1; depth > 0; {
		switch j.token() {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

// wrong reports a value that is not what FHIR has there.
func (j *jsonReader) wrong(at int, got json.Token, what, want string) {
	is := "nothing"
	switch got := got.(type) {
	case json.Delim:
		is = map[json.Delim]string{'{': "an object", '[': "a list"}[got]
	case string:
		is = "a text"
	case json.Number:
		is = "a number"
	case bool:
		is = strconv.FormatBool(got)
	}
	j.fault(j.report, at, fmt.Sprintf("%s is %s in FHIR, and here is %s", what, want, is), "")
	j.rest(got)
}

// object walks an object: each field that is there is read by its function; the others are stepped over.
func (j *jsonReader) object(what string, fields map[string]func()) {
	at := j.next()
	if t := j.token(); t != json.Delim('{') {
		j.wrong(at, t, what, "an object")
		return
	}
	var seen []string
	for j.decoder.More() {
		at := j.next()
		key, _ := j.token().(string)
		read := fields[key]
		switch {
		case read == nil:
			j.skip()
		case slices.Contains(seen, key):
			j.fault(j.report, at, fmt.Sprintf("%s has %q twice", what, key), "keep one of the two")
			j.skip()
		default:
			seen = append(seen, key)
			read()
		}
	}
	j.token()
}

// list walks a list.
func (j *jsonReader) list(what string, item func()) {
	at := j.next()
	if t := j.token(); t != json.Delim('[') {
		j.wrong(at, t, what, "a list")
		return
	}
	for j.decoder.More() {
		item()
	}
	j.token()
}

func (j *jsonReader) text(what string) string {
	at := j.next()
	switch t := j.token().(type) {
	case string:
		return t
	default:
		j.wrong(at, t, what, "a text")
	}
	return ""
}

func (j *jsonReader) boolean(what string) bool {
	at := j.next()
	switch t := j.token().(type) {
	case bool:
		return t
	default:
		j.wrong(at, t, what, "true or false")
	}
	return false
}

func (j *jsonReader) whole(what string) int {
	at := j.next()
	t := j.token()
	if n, ok := t.(json.Number); ok {
		if i, err := strconv.Atoi(n.String()); err == nil {
			return i
		}
	}
	j.wrong(at, t, what, "a whole number")
	return 0
}

// resourceType looks ahead at the type of the resource that comes next, wherever in it that stands.
func (j *jsonReader) resourceType() string {
	ahead := j.reader(j.report, j.next())
	if ahead.token() != json.Delim('{') {
		return ""
	}
	for ahead.decoder.More() {
		if ahead.token() == "resourceType" {
			kind, _ := ahead.token().(string)
			return kind
		}
		ahead.skip()
	}
	return ""
}
