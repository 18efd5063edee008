package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/internal/backup"
	"github.com/vigil-cds/vigil/store"
)

func (a *app) backupCommand() *cobra.Command {
	var server, data, vault string
	var offline bool
	var keep int
	c := &cobra.Command{
		Use:   "backup --to VAULT",
		Short: "Keep a copy of what the service has on its disk",
		Long: `Copies the state that a service keeps under its data directory into a vault, while it runs. A second
backup into the same vault copies what is new. After a loss, vigil restore brings the state back, and the
service reads from the log what has come since; without a backup it reads all of the log.

The log itself is in the backup when the broker inside the service keeps it. A Kafka cluster keeps its own
log: see there that its topics are kept for ever.

Run it on the machine of the service, as the user that the service runs as.`,
		Example: `  vigil backup --to /backup/vigil
  vigil backup --data /var/lib/vigil --server http://127.0.0.1:8080 --to /backup/vigil --keep 14
  vigil backup --offline --to /backup/vigil       the service is stopped
  vigil backup list /backup/vigil
  vigil backup verify /backup/vigil`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if vault == "" {
				return misused("--to is missing: name the directory that keeps the backups")
			}
			if keep < 0 {
				return misused("--keep %d: keep one or more, or leave it out to keep all", keep)
			}
			return a.backup(c.Context(), server, data, vault, offline, keep)
		},
	}
	a.addServerFlag(c, &server)
	c.Flags().StringVar(&data, "data", config.Default().Data, "data directory of the service")
	c.Flags().StringVar(&vault, "to", "", "directory that keeps the backups; it is made when it is not there")
	c.Flags().BoolVar(&offline, "offline", false, "the service is stopped: copy what it left")
	c.Flags().IntVar(&keep, "keep", 0, "then remove all but so many of the newest backups; 0 keeps all")
	c.AddCommand(a.backupListCommand(), a.backupVerifyCommand())
	return c
}

func (a *app) backup(ctx context.Context, server, data, dir string, offline bool, keep int) (err error) {
	if _, err := os.Stat(data); err != nil {
		return fmt.Errorf("--data %s: %w; name the data directory of the service", data, errors.Unwrap(err))
	}
	vault, err := backup.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, vault.Close()) }()
	m := backup.Manifest{Time: time.Now().UTC(), Vigil: buildVersion().Version}
	var sources []backup.Source
	var release func() error
	if offline {
		sources, release, err = stoppedSources(data, &m)
	} else {
		sources, release, err = a.servedSources(ctx, server, data, &m)
	}
	if err != nil {
		return err
	}
	made, copied, err := a.copied(ctx, vault, m, sources)
	if err := errors.Join(err, release()); err != nil {
		return err
	}
	removed := 0
	if keep > 0 {
		if removed, _, err = vault.Prune(keep); err != nil {
			return err
		}
	}
	if a.json() {
		return a.printJSON(map[string]any{"id": made.ID, "files": len(made.Files), "bytes": made.Bytes(), "copied": copied, "removed": removed})
	}
	fmt.Fprintf(a.stdout, "backup %s: %d files of %v, of which %v were new\n", made.ID, len(made.Files), config.Bytes(made.Bytes()), config.Bytes(copied))
	if removed > 0 {
		fmt.Fprintf(a.stdout, "%d older removed\n", removed)
	}
	return nil
}

func (a *app) copied(ctx context.Context, vault *backup.Vault, m backup.Manifest, sources []backup.Source) (*backup.Manifest, int64, error) {
	show, done := a.bytesBar("backing up")
	defer done()
	return vault.Create(ctx, m, sources, show)
}

// bytesBar shows how far something is, on a terminal.
func (a *app) bytesBar(doing string) (show backup.Progress, done func()) {
	if !isTerminal(a.stderr) {
		return func(int64, int64) {}, func() {}
	}
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(a.stderr), progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription(doing))
	return func(n, total int64) {
		bar.ChangeMax64(max(total, 1))
		_ = bar.Set64(n)
	}, func() { _ = bar.Finish() }
}

// brokerLog is where the broker inside the service keeps the log.
const brokerLog = "broker/log"

// servedSources has the service make a checkpoint. The log comes after it: no state is ahead of its log.
func (a *app) servedSources(ctx context.Context, server, data string, m *backup.Manifest) ([]backup.Source, func() error, error) {
	client, err := a.newClient(server, 0)
	if err != nil {
		return nil, nil, err
	}
	got, err := client.send(ctx, http.MethodPost, "/v1/checkpoints", "", nil)
	if err != nil {
		client.close()
		return nil, nil, fmt.Errorf("%w; if the service is stopped, add --offline", err)
	}
	if got.status != http.StatusCreated {
		client.close()
		return nil, nil, got.refused()
	}
	var made api.Checkpoint
	if err := json.Unmarshal(got.body, &made); err != nil {
		client.close()
		return nil, nil, fmt.Errorf("reading the service's answer: %w; is %s a Vigil of this version?", err, server)
	}
	release := func() error {
		defer client.close()
		// Also when the backup was interrupted.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		got, err := client.send(ctx, http.MethodDelete, "/v1/checkpoints/"+made.ID, "", nil)
		if err == nil && got.status != http.StatusNoContent {
			err = got.refused()
		}
		if err != nil {
			return fmt.Errorf("giving the checkpoint free: %w", err)
		}
		return nil
	}
	at := filepath.Join(data, filepath.FromSlash(made.Directory))
	if _, err := os.Stat(at); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the checkpoint that %s made is not under --data %s: name the data directory of that service", server, data), release())
	}
	m.RuleSet, m.Store, m.Explain, m.Log = made.RuleSet, made.Store, made.Explain, backup.Log(made.Log)
	for _, p := range made.Positions {
		m.Positions = append(m.Positions, backup.Position(p))
	}
	sources := []backup.Source{{Path: filepath.Join(at, "explain"), Name: "explain"}}
	return append(sources, present(filepath.Join(at, "store"), "store", filepath.Join(data, filepath.FromSlash(brokerLog)))...), release, nil
}

// stoppedSources holds a stopped service's directory, so that none is started over it meanwhile.
func stoppedSources(data string, m *backup.Manifest) ([]backup.Source, func() error, error) {
	release := func() error { return nil }
	if _, err := os.Stat(filepath.Join(data, "store")); err == nil {
		// Opening it also finishes what a killed process left open.
		s, err := store.Open(filepath.Join(data, "store"), store.Options{Memory: store.MinMemory})
		if err != nil {
			return nil, nil, fmt.Errorf("%w; is the service running? then leave --offline out", err)
		}
		states, err := openStates(s)
		log, unread := s.Log()
		m.Store, m.Log = store.Version, backup.Log{ID: log}
		if err := errors.Join(err, unread, s.Close()); err != nil {
			return nil, nil, err
		}
		lock, err := vfs.Default.Lock(filepath.Join(data, "store", "LOCK"))
		if err != nil {
			return nil, nil, fmt.Errorf("holding the store: %w; was the service started just now?", err)
		}
		release = lock.Close
		positions, ruleSet := positionsOf(states)
		m.RuleSet = ruleSet
		for _, p := range positions {
			m.Positions = append(m.Positions, backup.Position(p))
		}
	}
	sources := present(filepath.Join(data, "explain"), "explain")
	if len(sources) > 0 {
		m.Explain = archive.Version
	}
	return append(sources, present(filepath.Join(data, "store"), "store", filepath.Join(data, filepath.FromSlash(brokerLog)))...), release, nil
}

// openStates reads the states of all partitions that there may be.
func openStates(s *store.Store) (map[int32]store.State, error) {
	numbers, err := s.Numbers()
	if err != nil {
		return nil, err
	}
	states := make(map[int32]store.State, len(numbers))
	for _, n := range numbers {
		p, err := s.Partition(n)
		if err != nil {
			return nil, err
		}
		states[n] = p.State()
	}
	return states, nil
}

// present lists a directory under its name, and the broker's log, as far as they are there.
func present(dir, name string, log ...string) (sources []backup.Source) {
	if _, err := os.Stat(dir); err == nil {
		sources = append(sources, backup.Source{Path: dir, Name: name, Skip: isLock})
	}
	for _, at := range log {
		if _, err := os.Stat(at); err == nil {
			sources = append(sources, backup.Source{Path: at, Name: brokerLog, Compare: inOrderOfCause, Skip: isLock})
		}
	}
	return sources
}

func isLock(name string) bool { return path.Base(name) == "LOCK" }

// inOrderOfCause orders the broker's files such that none says more than one that is copied later: the
// groups' offsets, what is made from facts, the facts, and the events from which these are made. Of a
// partition the index comes before the records.
func inOrderOfCause(a, b string) int {
	rank := func(name string) int {
		switch {
		case !strings.Contains(name, "/partitions/"):
			return 0
		case strings.Contains(name, "-events-"):
			return 3
		case strings.Contains(name, "-facts-"):
			return 2
		}
		return 1
	}
	records := func(name string) int {
		if path.Ext(name) == ".dat" {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(path.Dir(a), path.Dir(b)), cmp.Compare(records(a), records(b)), cmp.Compare(a, b))
}

func (a *app) backupListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list VAULT",
		Short:   "List the backups of a vault",
		Example: `  vigil backup list /backup/vigil`,
		Args:    oneVault,
		RunE: func(_ *cobra.Command, args []string) (err error) {
			vault, err := openVault(args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, vault.Close()) }()
			all, err := vault.List()
			if err != nil {
				return err
			}
			if a.json() {
				for _, m := range all {
					if err := a.printJSON(m); err != nil {
						return err
					}
				}
				return nil
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			for _, m := range all {
				fmt.Fprintf(w, "%s\t%d files\t%v\tpartitions %d\trule set %.12s\n", m.ID, len(m.Files), config.Bytes(m.Bytes()), len(m.Positions), m.RuleSet)
			}
			return w.Flush()
		},
	}
}

func oneVault(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return misused("name the directory that keeps the backups")
	}
	return nil
}

// openVault opens one that is there.
func openVault(dir string) (*backup.Vault, error) {
	if _, err := os.Stat(filepath.Join(dir, "backups")); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s keeps none; vigil backup --to %s makes one", backup.ErrNoBackup, dir, dir)
		}
		return nil, err
	}
	return backup.Open(dir)
}

// withBackup does something with one backup of a vault, "" being the newest, and shows how far it is.
func (a *app) withBackup(dir, id, doing string, f func(*backup.Vault, *backup.Manifest, backup.Progress) error) (m *backup.Manifest, err error) {
	vault, err := openVault(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, vault.Close()) }()
	if m, err = vault.Find(id); err != nil {
		return nil, err
	}
	show, done := a.bytesBar(doing)
	defer done()
	return m, f(vault, m, show)
}

func (a *app) backupVerifyCommand() *cobra.Command {
	var id string
	c := &cobra.Command{
		Use:   "verify VAULT",
		Short: "Read a backup and hold every file to its checksum",
		Example: `  vigil backup verify /backup/vigil
  vigil backup verify --backup 20260301T100000.000Z /backup/vigil`,
		Args: oneVault,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := a.withBackup(args[0], id, "verifying", func(vault *backup.Vault, m *backup.Manifest, show backup.Progress) error {
				return vault.Verify(c.Context(), m, show)
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "backup %s: %d files of %v are as they were\n", m.ID, len(m.Files), config.Bytes(m.Bytes()))
			return nil
		},
	}
	c.Flags().StringVar(&id, "backup", "", "which one; the newest unless said")
	return c
}

func (a *app) restoreCommand() *cobra.Command {
	var id, data, from string
	var cluster *pflag.FlagSet
	c := &cobra.Command{
		Use:   "restore --from VAULT --data DIR",
		Short: "Bring back what a backup has",
		Long: `Writes what a backup has to a data directory, which must be empty. A service that is started over it reads
from the log what has come since the backup, and then answers. Every file is held to its checksum. With
--brokers it is first looked whether the cluster still has the log from which the backup's state was made.`,
		Example: `  vigil restore --from /backup/vigil --data /var/lib/vigil
  vigil restore --from /backup/vigil --data /var/lib/vigil --brokers kafka-1:9092
  vigil restore --from /backup/vigil --backup 20260301T100000.000Z --data ./vigil-data`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if from == "" {
				return misused("--from is missing: name the directory that keeps the backups")
			}
			m, err := a.withBackup(from, id, "restoring", func(vault *backup.Vault, m *backup.Manifest, show backup.Progress) error {
				if err := readable(m); err != nil {
					return err
				}
				if err := hasLog(c.Context(), cluster, m); err != nil {
					return err
				}
				return vault.Restore(c.Context(), m, data, show)
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "restored %s to %s; start vigil serve --data %s, which reads the rest from the log\n", m.ID, data, data)
			return nil
		},
	}
	c.Flags().StringVar(&from, "from", "", "directory that keeps the backups")
	c.Flags().StringVar(&id, "backup", "", "which one; the newest unless said")
	c.Flags().StringVar(&data, "data", config.Default().Data, "data directory to write, which must be empty or not there")
	cluster = pflag.NewFlagSet("cluster", pflag.ContinueOnError)
	config.AddFlags(cluster, kafkaKeys...)
	c.Flags().AddFlagSet(cluster)
	return c
}
