package rules

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"path"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Set is what is activated together: packs and the value sets they use, in order of file name.
type Set struct{ Files []clinical.File }

// NewSet sorts the files by name. It refuses nothing: Compile does.
func NewSet(files ...clinical.File) *Set {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(x, y clinical.File) int { return cmp.Compare(x.Name, y.Name) })
	return &Set{Files: files}
}

// PackNames are the names of the packs, in order of file name, of those that can be read.
func (s *Set) PackNames() []string {
	var names []string
	for _, f := range s.Files {
		if ext := path.Ext(f.Name); ext != ".yaml" && ext != ".yml" || isParametersFile(f.Name) {
			continue
		}
		root := parseYAML(f.Name, f.Data, &report{})
		if root == nil {
			continue
		}
		for _, p := range root.pairs {
			if p.key.text == "pack" {
				names = append(names, p.value.text)
			}
		}
	}
	return names
}

// Hash names the set's content: the SHA-256, in hex, of every file's name and data, each led by its
// length so that no two different sets are framed alike.
func (s *Set) Hash() string {
	h := sha256.New()
	var length [8]byte
	frame := func(data []byte) {
		binary.BigEndian.PutUint64(length[:], uint64(len(data)))
		h.Write(length[:])
		h.Write(data)
	}
	for _, f := range s.Files {
		frame([]byte(f.Name))
		frame(f.Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}
