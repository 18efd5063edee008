package equivalence

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/vigil-cds/vigil/store"
)

var (
	comparisons = flag.Int("comparisons", 30_000, "how many (rule, patient, instant) comparisons to make at least")
	seed        = flag.Uint64("seed", 1, "the first case")
	rerun       = flag.String("case", "", "run this saved case alone")
)

// casesPerStore bounds how many partitions one in-memory store collects.
const casesPerStore = 500

func TestTheEngineAnswersAsTheReferenceDoes(t *testing.T) {
	if *rerun != "" {
		c, err := LoadCase(*rerun)
		if err != nil {
			t.Fatal(err)
		}
		if err := runAlone(t, c); err != nil {
			t.Fatal(err)
		}
		return
	}
	began, made := time.Now(), 0
	for from := *seed; made < *comparisons; from += casesPerStore {
		b := &Bench{Store: open(t, from)}
		for s := from; s < from+casesPerStore && made+b.Comparisons < *comparisons; s++ {
			c := Draw(s)
			err := b.Run(c)
			if err == nil {
				continue
			}
			if !errors.Is(err, ErrDiffers) {
				t.Fatalf("case %d: %v", s, err)
			}
			small := Shrink(c, func(c *Case) bool { return errors.Is(runAlone(t, c), ErrDiffers) })
			path := filepath.Join(os.TempDir(), "vigil-case.json")
			if err := small.Save(path); err != nil {
				t.Error(err)
			}
			t.Fatalf("case %d: %v\nshrunk to %d records, %d rules: %v\nrun it again with: go test ./internal/equivalence -case %s\n%s",
				s, err, len(small.Records), len(small.Rules), runAlone(t, small), path, small.pack(small.Inputs, small.Rules))
		}
		made += b.Comparisons
		if err := b.Store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d comparisons in %s", made, time.Since(began).Round(time.Second))
}

func runAlone(t *testing.T, c *Case) error {
	b := &Bench{Store: open(t, c.Seed)}
	defer b.Store.Close()
	return b.Run(c)
}

// open makes a store in memory: with and without a cache of patients, so that reads come hot and cold.
func open(t *testing.T, seed uint64) *store.Store {
	t.Helper()
	o := store.Options{FS: vfs.NewMem(), Memory: 64 << 20}
	if seed/casesPerStore%2 == 1 {
		o.CachePatients = 1
	}
	s, err := store.Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
