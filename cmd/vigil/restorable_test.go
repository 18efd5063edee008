package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/internal/backup"
	"github.com/vigil-cds/vigil/internal/broker"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/store"
)

func TestABackupThatCannotGoOnIsNotRestored(t *testing.T) {
	kafka, err := broker.Start(t.TempDir(), broker.Options{NoSync: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, kafka.Close()) }()
	log := processor.Config{Brokers: []string{kafka.Addr()}, Partitions: 2}.Fill()
	require.NoError(t, log.Topics().Ensure(t.Context(), log))
	settings, err := log.ClientConfig("test")
	require.NoError(t, err)
	client, err := processor.NewClient(log.Brokers, settings)
	require.NoError(t, err)
	defer client.Close()
	id, err := log.Topics().LogID(t.Context(), client)
	require.NoError(t, err)
	require.NotEmpty(t, id)

	right := backup.Manifest{Vigil: "v9", Store: store.Version, Explain: archive.Version, Log: backup.Log{ID: id, Prefix: "vigil-", Partitions: 2}}
	for _, c := range []struct {
		name   string
		change func(*backup.Manifest)
		prefix string
		want   string // of the message; "": it is restored
	}{
		{"as it should be", func(*backup.Manifest) {}, "", ""},
		{"of a program that did not say more", func(m *backup.Manifest) { *m = backup.Manifest{Time: m.Time} }, "", ""},
		{"a later store", func(m *backup.Manifest) { m.Store++ }, "", "the store of"},
		{"a later archive", func(m *backup.Manifest) { m.Explain++ }, "", "the explain archive of"},
		{"a later archive, told what to do", func(m *backup.Manifest) { m.Explain++ }, "", "restore and run it with vigil v9, or start with an empty directory"},
		{"another log", func(m *backup.Manifest) { m.Log.ID = "another" }, "", "topic vigil-facts has the id " + id + " and the backup is of another: name the brokers"},
		{"another number of partitions", func(m *backup.Manifest) { m.Log.Partitions = 3 }, "", "has 2 partitions and the backup is of one with 3"},
		{"a partition that is not there", func(m *backup.Manifest) {
			m.Log.Partitions, m.Positions = 0, []backup.Position{{Partition: 2}}
		}, "", "has 2 partitions and the backup has partition 2"},
		{"a position beyond the log", func(m *backup.Manifest) { m.Positions = []backup.Position{{Partition: 1, Facts: 4}} }, "",
			"partition 1 of the backup has applied 4, the log ends at -1"},
		{"no log", func(*backup.Manifest) {}, "other-", "the brokers have no topic other-facts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			vault, data := filepath.Join(dir, "vault"), filepath.Join(dir, "data")
			require.NoError(t, os.WriteFile(filepath.Join(dir, "table"), []byte("table"), 0o600))
			v, err := backup.Open(vault)
			require.NoError(t, err)
			m := right
			m.Time = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
			c.change(&m)
			_, _, err = v.Create(t.Context(), m, []backup.Source{{Path: filepath.Join(dir, "table"), Name: "store/table"}}, func(int64, int64) {})
			require.NoError(t, err)
			require.NoError(t, v.Close())
			args := []string{"restore", "--from", vault, "--data", data, "--brokers", kafka.Addr()}
			if c.prefix != "" {
				args = append(args, "--kafka-prefix", c.prefix)
			}
			r := vigil(t, "", args...)
			if c.want == "" {
				require.Zero(t, r.code, r.errOut)
				require.FileExists(t, filepath.Join(data, "store", "table"))
				return
			}
			require.Equal(t, 1, r.code)
			require.Contains(t, r.errOut, c.want)
			require.NoDirExists(t, data, "nothing is written")
		})
	}
}
