package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// check refuses what must not reach a decoder: too many bytes, invalid UTF-8, too deep a nesting. It
// reads the bytes once and needs no memory however they are nested.
func (d *Decoder) check(data []byte) *Fault {
	if len(data) > d.options.MaxBytes {
		return newFault(TooLarge, "", "the body is larger than "+strconv.Itoa(d.options.MaxBytes)+" bytes",
			"send it in smaller parts, or raise the limit")
	}
	if !utf8.Valid(data) {
		return newFault(InvalidUTF8, "", "the body is not valid UTF-8", "send it in the encoding UTF-8")
	}
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case inString:
			switch c {
			case '\\':
				i++
			case '"':
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > d.options.MaxDepth {
				return newFault(TooDeep, "", "the JSON is nested deeper than "+strconv.Itoa(d.options.MaxDepth)+" levels",
					"send a flatter resource, or raise the limit")
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// decode reads JSON into v. root is the resource type, which leads the places in faults.
func decode(data []byte, root string, v any) *Fault {
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		// The decoder has read the byte at Offset-1 and found it wrong.
		at := max(0, min(len(data), int(syntax.Offset)-1))
		if numberWord(data[:at], data[at:]) {
			return newFault(NotANumber, root, "NaN or an infinity stands at byte "+strconv.Itoa(at),
				"leave the value out and say why in dataAbsentReason")
		}
		return newFault(InvalidJSON, root, "the JSON is malformed at byte "+strconv.Itoa(at), "send one whole JSON value")
	}
	var typed *json.UnmarshalTypeError
	if errors.As(err, &typed) && typed.Field != "" {
		kind, _, _ := strings.Cut(typed.Value, " ")
		return newFault(InvalidJSON, join(root, elementPath(typed.Field)), "a JSON "+kind+" stands where FHIR has another type",
			"see the element's type in FHIR R4")
	}
	return newFault(InvalidJSON, root, "the JSON is not an object of this type", "send one FHIR resource")
}

// elementPath takes the names of Go's embedded structs out of a path that encoding/json gives.
func elementPath(field string) string {
	names := strings.Split(field, ".")
	return strings.Join(slices.DeleteFunc(names, func(name string) bool {
		switch name {
		case "header", "measured", "medicine", "reasons", "course", "bounds":
			return true
		}
		return false
	}), ".")
}

// numberWord reports whether the syntax error between before and rest lies in NaN or Infinity, which
// some writers put where JSON has no number for what they mean.
func numberWord(before, rest []byte) bool {
	start := len(before)
	for start > 0 && (before[start-1] == '-' || isLetter(before[start-1])) {
		start--
	}
	word := strings.TrimPrefix(string(before[start:])+string(rest[:min(len(rest), 10)]), "-")
	return strings.HasPrefix(word, "NaN") || strings.HasPrefix(word, "Inf")
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// member is one member of a JSON object, met by walk. Its value is a whole string (with its quotes),
// a whole number or word, or just the bracket that opens an object or an array.
type member struct {
	depth int // 1: of the outermost object
	key   []byte
	value []byte
	at    int // where value starts
}

// walk visits the members of every object in data, in order. What is not valid JSON gives nonsense
// but no panic. It keeps one byte for each level of nesting.
func walk(data []byte, visit func(member)) {
	var open []byte
	var key []byte
	emit := func(start, end int) {
		if key != nil {
			visit(member{depth: len(open), key: key, value: data[start:end], at: start})
			key = nil
		}
	}
	for i := 0; i < len(data); {
		switch c := data[i]; c {
		case '{', '[':
			emit(i, i+1)
			open = append(open, c)
			i++
		case '}', ']':
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
			i++
		case '"':
			end := endOfString(data, i)
			inObject := len(open) > 0 && open[len(open)-1] == '{'
			if inObject && key == nil {
				key = data[i+1 : max(i+1, end-1)]
			} else {
				emit(i, end)
			}
			i = end
		case ' ', '\t', '\r', '\n', ',', ':':
			i++
		default:
			end := i + 1
			for end < len(data) && !bytes.ContainsRune([]byte(" \t\r\n,]}"), rune(data[end])) {
				end++
			}
			emit(i, end)
			i = end
		}
	}
}

// endOfString is the index behind the string that opens at i.
func endOfString(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// resourceType finds the member of that name in the outermost object; "" where there is none.
func resourceType(data []byte) string {
	name := ""
	walk(data, func(m member) {
		if m.depth == 1 && string(m.key) == "resourceType" && m.value[0] == '"' {
			name = unquote(m.value)
		}
	})
	return name
}

// unquote reads a JSON string; "" where it is none.
func unquote(value []byte) string {
	if len(value) >= 2 && bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

func join(place, element string) string {
	if place == "" {
		return element
	}
	return place + "." + element
}
