//go:build !kafka

package endtoend

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The log of the broker inside the service is in the backup, and all of it goes on from there.
func TestABackupOfAMachineIsTheWholeOfIt(t *testing.T) {
	dir := t.TempDir()
	pack, data, vault := filepath.Join(dir, "pack.yaml"), filepath.Join(dir, "data"), filepath.Join(dir, "vault")
	write(t, pack, instancesPack)
	s := serve(t, data, "--rules", pack)
	put := func(s *server, id, value string) string {
		return s.put("Observation/"+id, fmt.Sprintf(`{"resourceType":"Observation","id":"%s","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},`+
			`"subject":{"reference":"Patient/%s"},"effectiveDateTime":"2026-01-01T00:00:00Z","valueQuantity":{"value":%s,"code":"mmol/L"}}`, id, id, value))
	}
	var last string
	for n := range 200 {
		last = put(s, fmt.Sprint("p", n), "6.4")
		if n == 100 {
			s.active("p100", last)
		}
	}
	out, code := vigil(t, "backup", "--server", s.url, "--data", data, "--to", vault) // in the middle of it
	require.Zero(t, code, out)
	s.active("p199", last)
	s.stop()

	other := filepath.Join(dir, "other")
	out, code = vigil(t, "restore", "--from", vault, "--data", other)
	require.Zero(t, code, out)
	s = serve(t, other)
	for n := range 200 {
		require.Equal(t, []string{"hyperkalaemia"}, s.active(fmt.Sprint("p", n), ""), "patient %d", n)
	}
	require.Equal(t, []string{}, s.active("p3", put(s, "p3", "4.1")), "it goes on")
	s.stop()
}
