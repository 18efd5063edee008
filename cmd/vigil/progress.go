package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// progress remembers how far each file has been sent, in a small file of its own, so that a run that was
// stopped can go on. A file that has changed since starts from its beginning.
type progress struct {
	path  string // "": nothing is remembered
	saved time.Time
	Files map[string]*fileProgress `json:"files"`
}

type fileProgress struct {
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	Items    int       `json:"items"` // how many, from the first on, have been answered
}

// betweenSaves is how much work a stopped run may have to do again: sending it twice changes nothing.
const betweenSaves = time.Second

func loadProgress(path string) (*progress, error) {
	p := &progress{path: path, Files: map[string]*fileProgress{}}
	if path == "" {
		return p, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(data, p)
	}
	if err != nil || p.Files == nil {
		return nil, fmt.Errorf("reading the state %s: %w; remove it to start from the beginning", path, err)
	}
	return p, nil
}

// begin says how many items of a file have been sent before.
func (p *progress) begin(name string) (int, error) {
	if p.path == "" || name == stdinName {
		return 0, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	key, err := filepath.Abs(name)
	if err != nil {
		return 0, err
	}
	f := p.Files[key]
	if f == nil || f.Size != info.Size() || !f.Modified.Equal(info.ModTime()) {
		f = &fileProgress{Size: info.Size(), Modified: info.ModTime()}
		p.Files[key] = f
	}
	return f.Items, nil
}

// sent takes note of items that have been answered, and saves now and then.
func (p *progress) sent(items []item) error {
	if p.path == "" {
		return nil
	}
	for _, i := range items {
		key, err := filepath.Abs(i.file)
		if err != nil {
			return err
		}
		if f := p.Files[key]; f != nil {
			f.Items = max(f.Items, i.index+1)
		}
	}
	if time.Since(p.saved) < betweenSaves {
		return nil
	}
	return p.save()
}

// save replaces the file in one step.
func (p *progress) save() error {
	if p.path == "" {
		return nil
	}
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	next := p.path + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	if err := os.Rename(next, p.path); err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	p.saved = time.Now()
	return nil
}
