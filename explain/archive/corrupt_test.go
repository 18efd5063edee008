package archive

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestCorruptBytesAreReportedWithoutThePatient(t *testing.T) {
	const patient = "patient-of-everything"
	state := func(p *Partition) error { return newPartition(p.archive, p.number).open() }
	cases := map[string]struct {
		key  func() []byte
		read func(*Partition) error
	}{
		"machine's state": {func() []byte { return appendStateKey(nil, 0, halfMachine) }, state},
		"auditor's state": {func() []byte { return appendStateKey(nil, 0, halfAuditor) }, state},
		"patient": {func() []byte { return appendPatientKey(nil, 0, patient) },
			func(p *Partition) error { _, _, err := p.Patient(patient); return err }},
		"patient that is put": {func() []byte { return appendPatientKey(nil, 0, patient) },
			func(p *Partition) error {
				b := p.Begin()
				b.Put(&Patient{ID: patient})
				return b.Commit()
			}},
		"history": {func() []byte { return appendRecordKey(nil, 0, patient, 7) }, func(p *Partition) error {
			return p.History(patient, 7, func(int64, clinical.Instant, []byte) error { return nil })
		}},
		"explanation": {func() []byte { return appendExplanationKey(nil, 0, patient, 1) }, func(p *Partition) error {
			return p.Explanations(patient, clinical.Never, clinical.Forever, 0, 10, func(Entry) error { return nil })
		}},
		"explanation by id": {func() []byte { return appendExplanationKey(nil, 0, patient, 1) },
			func(p *Partition) error { _, _, err := p.Explanation(patient, "id-1"); return err }},
		"id": {func() []byte { return appendIDKey(nil, 0, patient, "id-1") },
			func(p *Partition) error { _, _, err := p.Explanation(patient, "id-1"); return err }},
		"outbox": {func() []byte { return appendNumberKey(nil, 0, familyOutbox, 0) },
			func(p *Partition) error { return p.Outgoing(1, func(uint64, string, []byte) error { return nil }) }},
		"explanation that is outgoing": {func() []byte { return appendExplanationKey(nil, 0, patient, 1) },
			func(p *Partition) error { return p.Outgoing(1, func(uint64, string, []byte) error { return nil }) }},
		"expected": {func() []byte { return appendMarkKey(nil, 0, "id-1") },
			func(p *Partition) error { return p.Expected(func(Mark) error { return nil }) }},
		"divergence": {func() []byte { return appendNumberKey(nil, 0, familyDivergence, 0) },
			func(p *Partition) error { return p.Divergences(func(Divergence) error { return nil }) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := open(t, Options{})
			p := openPartition(t, a, 0)
			commit(t, p, writeOfEverything)
			require.NoError(t, c.read(p))
			commit(t, p, func(b *Batch) { b.Put(&Patient{ID: "another"}) })
			for _, damaged := range [][]byte{{}, {codecVersion + 1, 1, 1}, {codecVersion, 0x80}} {
				require.NoError(t, a.db.Set(c.key(), damaged, pebble.NoSync))
				err := c.read(p)
				require.ErrorIs(t, err, ErrCorrupt)
				require.ErrorContains(t, err, "partition 0")
				require.NotContains(t, err.Error(), patient)
			}
			require.NoError(t, a.Forget(0))
			require.NoError(t, c.read(p))
		})
	}
}

func TestADamagedFileIsReportedWithoutThePatient(t *testing.T) {
	const patient = "patient-of-everything"
	fs := vfs.NewMem()
	a := open(t, Options{FS: fs})
	commit(t, openPartition(t, a, 0), func(b *Batch) {
		writeOfEverything(b)
		for offset := range int64(2000) {
			b.History(patient, offset, 1, fmt.Appendf(nil, "record %d of %s", offset*offset, patient))
		}
	})
	require.NoError(t, a.Close())
	names, err := fs.List("db")
	require.NoError(t, err)
	damaged := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		f, err := fs.OpenReadWrite(fs.PathJoin("db", name), vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte("damage"), 3000)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		damaged++
	}
	require.NotZero(t, damaged)

	var log bytes.Buffer
	a = open(t, Options{FS: fs, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	p := openPartition(t, a, 0)
	err = p.History(patient, math.MaxInt64, func(int64, clinical.Instant, []byte) error { return nil })
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, "histories of partition 0")
	require.NotContains(t, err.Error(), patient)
	require.NotContains(t, log.String(), patient)
}

func TestStraysAmongTheKeysAreCorruption(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	for name, c := range map[string]struct {
		key  []byte
		read func() error
	}{
		"due":     {appendInstant(appendFamily(nil, 0, familyDue), 5), func() error { _, err := p.Due(10, 1); return err }},
		"history": {append(appendRecordKey(nil, 0, "a", 5), 1), func() error { return p.History("a", 10, nil) }},
		"outbox":  {append(appendNumberKey(nil, 0, familyOutbox, 0), 1), func() error { return p.Outgoing(1, nil) }},
		"opening": {append(appendNumberKey(nil, 0, familyDivergence, 0), 1), func() error { return newPartition(p.archive, 0).open() }},
	} {
		require.NoError(t, p.archive.db.Set(c.key, []byte{codecVersion, 0, 0}, pebble.NoSync))
		require.ErrorIs(t, c.read(), ErrCorrupt, name)
	}
}
