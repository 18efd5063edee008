package claim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/fhir"
)

const payload = `{"resourceType":"Patient","id":"SECRET"}`

// claimOf is one of a text at a place.
func claimOf(t *testing.T, uri, text string) *Claim {
	t.Helper()
	hash := sha256.Sum256([]byte(text))
	body, err := json.Marshal(Claim{URI: uri, Size: int64(len(text)), SHA256: hex.EncodeToString(hash[:]), ContentType: "application/fhir+json"})
	require.NoError(t, err)
	c, err := Parse(body)
	require.NoError(t, err)
	return c
}

func open(t *testing.T, o Options) *Store {
	t.Helper()
	o.MaxSize = 1000
	s, err := Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// refused holds an error to a reason, and to showing nothing of whose the payload is.
func refused(t *testing.T, reason fhir.Reason, err error) {
	t.Helper()
	var fault *fhir.Fault
	require.ErrorAs(t, err, &fault)
	require.Equal(t, reason, fault.Reason)
	require.NotEmpty(t, fault.Mend)
	require.NotContains(t, err.Error(), "SECRET")
}

func TestWhatIsNoClaimIsRefused(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	for _, body := range []string{`nonsense SECRET`, `{}`, `{"uri":"https://SECRET","size":1,"sha256":"` + hash + `"}`, `{"uri":"file://host/SECRET","size":1,"sha256":"` + hash + `"}`,
		`{"uri":"s3://SECRET","size":1,"sha256":"` + hash + `"}`, `{"uri":"file:///SECRET","size":0,"sha256":"` + hash + `"}`, `{"uri":"file:///SECRET","size":1,"sha256":"abc"}`,
		`{"uri":"file:///SECRET","size":1,"sha256":"` + hash + `","more":1}`, `{"uri":"s3://a/b?versionId=1","size":1,"sha256":"` + hash + `"}`} {
		_, err := Parse([]byte(body))
		refused(t, ReasonInvalid, err)
	}
}

func TestAFileIsFetchedFromBeneathItsDirectoryAlone(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	write := func(path, text string) string {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return "file://" + path
	}
	inside, outside := write(filepath.Join(dir, "a", "SECRET.json"), payload), write(filepath.Join(other, "SECRET.json"), payload)
	require.NoError(t, os.Symlink(filepath.Join(other, "SECRET.json"), filepath.Join(dir, "SECRET-link")))
	s := open(t, Options{Files: []string{dir}})
	got, err := s.Fetch(t.Context(), claimOf(t, inside, payload))
	require.NoError(t, err)
	require.Equal(t, payload, string(got))
	for _, c := range []struct {
		name, uri, text string
		reason          fhir.Reason
	}{
		{"elsewhere", outside, payload, ReasonForbidden},
		{"up and out", "file://" + dir + "/../" + filepath.Base(other) + "/SECRET.json", payload, ReasonForbidden},
		{"a link that leads out", "file://" + filepath.Join(dir, "SECRET-link"), payload, ReasonForbidden},
		{"a directory", "file://" + filepath.Join(dir, "a"), payload, ReasonForbidden},
		{"none", "file://" + filepath.Join(dir, "SECRET-none"), payload, ReasonMissing},
		{"shorter", inside, payload[1:], ReasonDiffers},
		{"longer", inside, payload + " ", ReasonDiffers},
		{"another", inside, strings.ToUpper(payload), ReasonDiffers},
		{"too large", inside, strings.Repeat(payload, 100), fhir.TooLarge},
		{"an object, without a store of them", "s3://bucket/SECRET", payload, ReasonForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Fetch(t.Context(), claimOf(t, c.uri, c.text))
			refused(t, c.reason, err)
		})
	}
	_, err = (*Store)(nil).Fetch(t.Context(), claimOf(t, inside, payload))
	refused(t, ReasonForbidden, err)
}

// objects is a store that speaks as much of S3 as is asked for.
func objects(t *testing.T, answer http.HandlerFunc) S3 {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return S3{Endpoint: server.URL, Region: "us-east-1", Buckets: []string{"bucket"}, AccessKey: "vigil", SecretKey: "key"}
}

func TestAnObjectIsFetchedWithASignedRequest(t *testing.T) {
	s := open(t, Options{S3: objects(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/bucket/dir/SECRET.json" || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=vigil/") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "", time.Unix(1, 0), bytes.NewReader([]byte(payload)))
	})})
	got, err := s.Fetch(t.Context(), claimOf(t, "s3://bucket/dir/SECRET.json", payload))
	require.NoError(t, err)
	require.Equal(t, payload, string(got))
	_, err = s.Fetch(t.Context(), claimOf(t, "s3://other/SECRET.json", payload))
	refused(t, ReasonForbidden, err)
	_, err = s.Fetch(t.Context(), claimOf(t, "s3://bucket/SECRET-2.json", payload))
	refused(t, ReasonForbidden, err)
}

func TestWhatMayPassIsNoRefusal(t *testing.T) {
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusInternalServerError} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			s := open(t, Options{S3: objects(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })})
			_, err := s.Fetch(t.Context(), claimOf(t, "s3://bucket/SECRET", payload))
			require.ErrorIs(t, err, ErrUnavailable)
			require.NotContains(t, err.Error(), "SECRET")
		})
	}
	t.Run("nobody answers", func(t *testing.T) {
		o := objects(t, nil)
		o.Endpoint = "http://127.0.0.1:1"
		_, err := open(t, Options{S3: o}).Fetch(t.Context(), claimOf(t, "s3://bucket/SECRET", payload))
		require.ErrorIs(t, err, ErrUnavailable)
		require.NotContains(t, err.Error(), "SECRET")
	})
	t.Run("the caller goes", func(t *testing.T) {
		s := open(t, Options{S3: objects(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := s.Fetch(ctx, claimOf(t, "s3://bucket/SECRET", payload))
		require.ErrorIs(t, err, ErrUnavailable)
	})
	t.Run("there is none", func(t *testing.T) {
		s := open(t, Options{S3: objects(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })})
		_, err := s.Fetch(t.Context(), claimOf(t, "s3://bucket/SECRET", payload))
		refused(t, ReasonMissing, err)
		require.False(t, errors.Is(err, ErrUnavailable))
	})
}

func TestADirectoryThatIsNotThereIsToldAtTheStart(t *testing.T) {
	_, err := Open(Options{Files: []string{filepath.Join(t.TempDir(), "none")}})
	require.ErrorIs(t, err, os.ErrNotExist)
}
