package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/klauspost/compress/gzip"
	"github.com/ulikunitz/xz"
)

// itemKind says what an item is.
type itemKind uint8

const (
	unreadableItem itemKind = iota // not a JSON object, or one without a readable type
	bundleItem
	resourceItem
	compactItem
	factsItem // a record of the facts log
)

// item is one resource, Bundle, compact observation or record of the facts log.
type item struct {
	kind  itemKind
	body  []byte
	place string // where it stands, for a person: "export.ndjson.gz:17", with what is wrong if it is unreadable
	file  string // the file named on the command line
	index int    // its number within that file, from 0
}

// stdinName stands for the standard input among the files.
const stdinName = "-"

// inputSuffixes end the names of what is read in directories and archives.
var inputSuffixes = []string{".json", ".ndjson", ".jsonl", ".tar", ".tgz", ".txz"}

// notInput says what is wrong with the names of n files that were passed over.
func notInput(n int) string {
	verb := "do"
	if n == 1 {
		verb = "does"
	}
	return verb + " not end in .json, .ndjson, .jsonl or .tar, nor in one of them and .gz or .xz"
}

// nothing is the error for input that holds nothing at all; what is what was to be done with it.
func nothing(what string, names []string, passedOver int) error {
	held := fmt.Sprintf("nothing to %s: %s: no resource and no observation", what, strings.Join(names, ", "))
	if passedOver == 0 {
		return errors.New(held)
	}
	return fmt.Errorf("%s; passed over %s that %s", held, plural(passedOver, "file"), notInput(passedOver))
}

// expand replaces each directory by the files in it and below that can hold input, by name, and counts
// the others.
func expand(names []string) (files []string, passedOver int, err error) {
	for _, name := range names {
		if name == stdinName {
			files = append(files, name)
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, 0, fmt.Errorf("reading input: %w", err)
		}
		if !info.IsDir() {
			files = append(files, name)
			continue
		}
		err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || d.IsDir():
			case isInput(d.Name()):
				files = append(files, path)
			default:
				passedOver++
			}
			return err
		})
		if err != nil {
			return nil, 0, fmt.Errorf("reading input: %w", err)
		}
	}
	return files, passedOver, nil
}

func isInput(name string) bool {
	for _, packed := range []string{".gz", ".xz"} {
		name = strings.TrimSuffix(name, packed)
	}
	return slices.Contains(inputSuffixes, filepath.Ext(name))
}

// readFile calls each for every item of a file, in order, wrapped by count as its bytes are read. It
// returns how many files of an archive it passed over.
func readFile(name string, stdin io.Reader, count func(io.Reader) io.Reader, each func(item) error) (passedOver int, err error) {
	in := stdin
	shown := "stdin"
	if name != stdinName {
		f, err := os.Open(name)
		if err != nil {
			return 0, fmt.Errorf("reading input: %w", err)
		}
		defer f.Close()
		in, shown = f, name
	}
	r := &itemReader{file: name, each: each}
	if err := r.stream(shown, count(in)); err != nil {
		var failed *eachError
		if errors.As(err, &failed) {
			return r.passedOver, failed.err
		}
		return r.passedOver, fmt.Errorf("reading %s: %w", shown, err)
	}
	return r.passedOver, nil
}

// eachError tells an error of the receiver from one of the input.
type eachError struct{ err error }

func (e *eachError) Error() string { return e.err.Error() }

type itemReader struct {
	file       string
	index      int
	passedOver int
	each       func(item) error
}

// emit hands on what stands in text, whose first byte is the place's byte 1; blank text is nothing.
func (r *itemReader) emit(text []byte, place string) error {
	object := bytes.TrimLeftFunc(bytes.TrimPrefix(text, byteOrderMark), unicode.IsSpace)
	body := bytes.TrimRightFunc(object, unicode.IsSpace)
	if len(body) == 0 {
		return nil
	}
	kind, fault := kindOf(body, len(text)-len(object))
	if fault != "" {
		place += ", " + fault
	}
	i := item{kind: kind, body: body, place: place, file: r.file, index: r.index}
	r.index++
	if err := r.each(i); err != nil {
		return &eachError{err}
	}
	return nil
}

// What packed and archived streams begin with.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	xzMagic   = []byte{0xfd, '7', 'z', 'X', 'Z', 0}
	tarMagic  = []byte("ustar")
)

const tarMagicAt = 257

// byteOrderMark is what some programs begin UTF-8 with; it says nothing.
var byteOrderMark = []byte{0xef, 0xbb, 0xbf}

// stream unpacks, as often as it is packed, and reads what is inside.
func (r *itemReader) stream(place string, in io.Reader) error {
	b := bufio.NewReaderSize(in, 1<<16)
	// A short stream is peeked as far as it goes.
	head, _ := b.Peek(tarMagicAt + len(tarMagic))
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		unpacked, err := gzip.NewReader(b)
		if err != nil {
			return err
		}
		defer unpacked.Close()
		return r.stream(place, unpacked)
	case bytes.HasPrefix(head, xzMagic):
		unpacked, err := xz.NewReader(b)
		if err != nil {
			return err
		}
		return r.stream(place, unpacked)
	case len(head) > tarMagicAt && bytes.HasPrefix(head[tarMagicAt:], tarMagic):
		return r.archive(place, b)
	}
	return r.text(place, b)
}

func (r *itemReader) archive(place string, in io.Reader) error {
	t := tar.NewReader(in)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case h.Typeflag != tar.TypeReg:
		case isInput(h.Name):
			if err := r.stream(place+"!"+h.Name, t); err != nil {
				return err
			}
		default:
			r.passedOver++
		}
	}
}

// text reads one object a line when the first line is an object by itself, else the whole as one.
func (r *itemReader) text(place string, in *bufio.Reader) error {
	line, err := in.ReadBytes('\n')
	for number := 1; ; number++ {
		if err != nil && err != io.EOF {
			return err
		}
		if number == 1 && err == nil && !isLine(line) {
			rest, err := io.ReadAll(in)
			if err != nil {
				return err
			}
			return r.emit(append(line, rest...), place)
		}
		if emitted := r.emit(line, fmt.Sprintf("%s:%d", place, number)); emitted != nil {
			return emitted
		}
		if err == io.EOF {
			return nil
		}
		line, err = in.ReadBytes('\n')
	}
}

// isLine says whether a first line is blank or JSON by itself.
func isLine(line []byte) bool {
	text := bytes.TrimSpace(bytes.TrimPrefix(line, byteOrderMark))
	return len(text) == 0 || json.Valid(text)
}

// kindOf looks at what a JSON object, which stands behind that many bytes, says of itself. The fault is
// why it is unreadable, where there is more to say than that it is no object.
func kindOf(body []byte, behind int) (kind itemKind, fault string) {
	var head struct {
		ResourceType string          `json:"resourceType"`
		FactsOffset  json.RawMessage `json:"factsOffset"`
	}
	err := json.Unmarshal(body, &head)
	var malformed *json.SyntaxError
	switch {
	case errors.As(err, &malformed):
		return unreadableItem, fmt.Sprintf("malformed at byte %d: %v", behind+int(malformed.Offset), malformed)
	case body[0] != '{':
		return unreadableItem, ""
	case err != nil:
		return unreadableItem, "resourceType is no string"
	case head.ResourceType == "Bundle":
		return bundleItem, ""
	case head.ResourceType != "":
		return resourceItem, ""
	case head.FactsOffset != nil:
		return factsItem, ""
	}
	return compactItem, ""
}
