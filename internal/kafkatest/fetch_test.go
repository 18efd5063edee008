//go:build kafka

package kafkatest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/kafkatest"
)

// only leaves these commands on the PATH.
func only(t *testing.T, commands ...string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range commands {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(dir, name)))
	}
	t.Setenv("PATH", dir)
}

func TestAMachineIsToldWhatItLacks(t *testing.T) {
	for _, c := range []struct {
		lacks, says string
		has         []string
	}{
		{"java", "install Java 17 or newer", []string{"mvn"}},
		{"mvn", "install Apache Maven 3.6 or newer", []string{"java"}},
	} {
		t.Run(c.lacks, func(t *testing.T) {
			only(t, c.has...)
			t.Setenv(kafkatest.CacheVariable, t.TempDir()) // where Kafka has not been fetched yet
			_, err := kafkatest.Open(t.Context(), t.TempDir(), kafkatest.Options{})
			require.ErrorIs(t, err, kafkatest.ErrMissing)
			require.ErrorContains(t, err, "there is no "+c.lacks)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestOneNodeOrThree(t *testing.T) {
	_, err := kafkatest.Open(t.Context(), t.TempDir(), kafkatest.Options{Nodes: 2})
	require.ErrorContains(t, err, "ask for 1 or 3")
}
