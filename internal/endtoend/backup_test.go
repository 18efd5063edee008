package endtoend

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestALostDiskComesBackFromABackupAndTheLog(t *testing.T) {
	dir := t.TempDir()
	pack, data, vault := filepath.Join(dir, "pack.yaml"), filepath.Join(dir, "data"), filepath.Join(dir, "vault")
	write(t, pack, instancesPack)
	log := newLog(t)
	flags := append(log.flags(), "--rules", pack)
	s := serve(t, data, flags...)
	result := func(s *server, id, patient, value string) string {
		return s.put("Observation/"+id, fmt.Sprintf(`{"resourceType":"Observation","id":"%s","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},`+
			`"subject":{"reference":"Patient/%s"},"effectiveDateTime":"2026-01-01T00:00:00Z","valueQuantity":{"value":%s,"code":"mmol/L"}}`, id, patient, value))
	}
	for p := range 20 {
		s.active(fmt.Sprint("p", p), result(s, fmt.Sprint("a", p), fmt.Sprint("p", p), "6.4"))
	}
	out, code := vigil(t, "backup", "--server", s.url, "--data", data, "--to", vault)
	require.Zero(t, code, out)
	since := result(s, "b", "later", "6.4")
	s.active("later", since)
	out, code = vigil(t, "backup", "--server", s.url, "--data", data, "--to", vault)
	require.Zero(t, code, out)
	after := result(s, "c", "last", "6.4")
	out, code = vigil(t, "backup", "verify", vault)
	require.Zero(t, code, out)
	require.Contains(t, out, "are as they were")
	out, _ = vigil(t, "backup", "list", vault)
	require.Equal(t, 2, strings.Count(out, "\n"), out)
	_, code = vigil(t, "backup", "--server", s.url, "--data", dir, "--to", vault)
	require.NotZero(t, code, "another directory than the service's")
	status, _, _ := s.send(http.MethodPost, "/v1/checkpoints", "", nil)
	require.Equal(t, http.StatusCreated, status, "a failed backup leaves none behind")
	s.kill() // which leaves the checkpoint behind

	require.NoError(t, os.RemoveAll(data))
	out, code = vigil(t, "restore", "--from", vault, "--data", data)
	require.Zero(t, code, out)
	s = serve(t, data, flags...)
	for p := range 20 {
		require.Equal(t, []string{"hyperkalaemia"}, s.active(fmt.Sprint("p", p), ""))
	}
	require.Equal(t, []string{"hyperkalaemia"}, s.active("later", since))
	require.Equal(t, []string{"hyperkalaemia"}, s.active("last", after), "the log had it")
	s.stop()
	out, code = vigil(t, "backup", "--offline", "--data", data, "--to", vault, "--keep", "1")
	require.Zero(t, code, out)
	require.Contains(t, out, "2 older removed")
}
