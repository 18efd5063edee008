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

	"github.com/klauspost/compress/gzip"
	"github.com/ulikunitz/xz"
)

// itemKind says what an item is.
type itemKind uint8

const (
	unreadableItem itemKind = iota // not a JSON object
	bundleItem
	resourceItem
	compactItem
)

// item is one resource, Bundle or compact observation of the input.
type item struct {
	kind  itemKind
	body  []byte
	place string // where it stands, for a person: "export.ndjson.gz:17"
	file  string // the file named on the command line
	index int    // its number within that file, from 0
}

// stdinName stands for the standard input among the files.
const stdinName = "-"

// expand replaces each directory by the files in it and below that can hold input, by name.
func expand(names []string) ([]string, error) {
	var files []string
	for _, name := range names {
		if name == stdinName {
			files = append(files, name)
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("reading input: %w", err)
		}
		if !info.IsDir() {
			files = append(files, name)
			continue
		}
		before := len(files)
		err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && isInput(d.Name()) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading input: %w", err)
		}
		if len(files) == before {
			return nil, fmt.Errorf("reading input: %s holds no .json, .ndjson or .jsonl file, nor one of them as .gz, .xz or .tar", name)
		}
	}
	return files, nil
}

func isInput(name string) bool {
	for _, packed := range []string{".gz", ".xz"} {
		name = strings.TrimSuffix(name, packed)
	}
	return slices.Contains([]string{".json", ".ndjson", ".jsonl", ".tar", ".tgz", ".txz"}, filepath.Ext(name))
}

// readFile calls each for every item of a file, in order, wrapped by count as its bytes are read.
func readFile(name string, stdin io.Reader, count func(io.Reader) io.Reader, each func(item) error) error {
	in := stdin
	shown := "stdin"
	if name != stdinName {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("reading input: %w", err)
		}
		defer f.Close()
		in, shown = f, name
	}
	r := &itemReader{file: name, each: each}
	if err := r.stream(shown, count(in)); err != nil {
		var failed *eachError
		if errors.As(err, &failed) {
			return failed.err
		}
		return fmt.Errorf("reading %s: %w", shown, err)
	}
	return nil
}

// eachError tells an error of the receiver from one of the input.
type eachError struct{ err error }

func (e *eachError) Error() string { return e.err.Error() }

type itemReader struct {
	file  string
	index int
	each  func(item) error
}

func (r *itemReader) emit(kind itemKind, body []byte, place string) error {
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
		if h.Typeflag == tar.TypeReg && isInput(h.Name) {
			if err := r.stream(place+"!"+h.Name, t); err != nil {
				return err
			}
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
		body := bytes.TrimSpace(line)
		if number == 1 && len(body) > 0 && !json.Valid(body) && err == nil {
			rest, err := io.ReadAll(in)
			if err != nil {
				return err
			}
			body = bytes.TrimSpace(append(line, rest...))
			return r.emit(kindOf(body), body, place)
		}
		if len(body) > 0 {
			at := fmt.Sprintf("%s:%d", place, number)
			if emitted := r.emit(kindOf(body), body, at); emitted != nil {
				return emitted
			}
		}
		if err == io.EOF {
			return nil
		}
		line, err = in.ReadBytes('\n')
	}
}

// kindOf looks at what a JSON object says of itself.
func kindOf(body []byte) itemKind {
	var head struct {
		ResourceType string `json:"resourceType"`
	}
	switch err := json.Unmarshal(body, &head); {
	case err != nil || body[0] != '{':
		return unreadableItem
	case head.ResourceType == "Bundle":
		return bundleItem
	case head.ResourceType != "":
		return resourceItem
	}
	return compactItem
}
