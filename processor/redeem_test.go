package processor

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/claim"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/rules"
)

// claimed is an event about patient a that points to a payload of a media type.
func claimed(t *testing.T, uri, media string, payload []byte) Event {
	t.Helper()
	hash := sha256.Sum256(payload)
	body, err := json.Marshal(claim.Claim{URI: uri, Size: int64(len(payload)), SHA256: hex.EncodeToString(hash[:]), ContentType: media})
	require.NoError(t, err)
	return Event{Patient: "a", Media: MediaClaim, Body: body}
}

// redeeming runs the processors with places that events may point to.
func redeeming(t *testing.T, c Config, r *recorder, o claim.Options) *Processor {
	t.Helper()
	o.MaxSize = 1 << 20
	claims, err := claim.Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, claims.Close()) })
	p, err := start(t.Context(), c, Deps{Store: newStore(t), Decoder: fhir.New(fhir.Options{}), Sets: NewRuleSets(rules.CompileOptions{}, nil), Claims: claims}, r.machine)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	require.NoError(t, p.WaitReady(t.Context()))
	return p
}

func TestAnEventThatPointsToItsPayloadIsTakenAsIfItHeldIt(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	dir := t.TempDir()
	bundle := fmt.Appendf(nil, `[%s,%s]`, observation("a", "1"), observation("a", "2"))
	file := filepath.Join(dir, "bundle.json")
	require.NoError(t, os.WriteFile(file, bundle, 0o600))
	moved := filepath.Join(dir, "moved.json")
	require.NoError(t, os.WriteFile(moved, observation("b", "3"), 0o600))
	r := &recorder{}
	p := redeeming(t, c, r, claim.Options{Files: []string{dir}})
	_, err := newTestWriter(t, c).Write(t.Context(), []Event{
		claimed(t, "file://"+file, MediaBundle, bundle),
		claimed(t, "file://"+filepath.Join(dir, "none"), MediaBundle, bundle),
		claimed(t, "file://"+file, MediaClaim, bundle),
		claimed(t, "file://"+moved, MediaFHIR, observation("b", "3")),
		{Patient: "a", Media: MediaClaim, Body: []byte("not a claim")},
		{Patient: "a", Body: observation("a", "4")},
	})
	require.NoError(t, err)
	r.await(t, "all that could be fetched", func(all []applied) bool {
		stated := map[string]string{}
		for _, a := range all {
			for _, s := range a.record.Assertions {
				stated[s.Resource] = a.record.Patient
			}
		}
		return stated["Observation/1"] == "a" && stated["Observation/2"] == "a" && stated["Observation/3"] == "b" && stated["Observation/4"] == "a"
	})
	var reasons []string
	for _, m := range readAll(t, c, p.topics.DeadLetter.Name, 3) {
		var l DeadLetter
		require.NoError(t, json.Unmarshal(m.Value, &l))
		require.Less(t, len(l.Body), 400, "the claim, not what it points to")
		reasons = append(reasons, l.Reason)
	}
	require.Equal(t, []string{string(claim.ReasonMissing), ReasonUnknownMedia, string(claim.ReasonInvalid)}, reasons)
}

// A store of objects that does not answer is asked again, and the partition's order is kept meanwhile; one that
// never does keeps nobody waiting for ever.
func TestAPayloadThatCannotBeFetchedNowIsFetchedLater(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	c.ClaimWait = 2 * time.Second
	var asked atomic.Int64
	objects := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bucket/never" || asked.Add(1) < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		http.ServeContent(w, r, "", time.Unix(1, 0), bytes.NewReader(observation("a", "1")))
	}))
	t.Cleanup(objects.Close)
	r := &recorder{}
	p := redeeming(t, c, r, claim.Options{S3: claim.S3{Endpoint: objects.URL, Region: "us-east-1", Buckets: []string{"bucket"}}})
	_, err := newTestWriter(t, c).Write(t.Context(), []Event{
		claimed(t, "s3://bucket/late", MediaFHIR, observation("a", "1")),
		{Patient: "a", Body: observation("a", "2")},
		claimed(t, "s3://bucket/never", MediaFHIR, observation("a", "3")),
		{Patient: "a", Body: observation("a", "4")},
	})
	require.NoError(t, err)
	var order []string
	r.await(t, "what could be fetched, and what follows", func(all []applied) bool {
		order = order[:0]
		for _, a := range all {
			for _, s := range a.record.Assertions {
				order = append(order, s.Resource)
			}
		}
		return len(order) == 3
	})
	require.Equal(t, []string{"Observation/1", "Observation/2", "Observation/4"}, order)
	var l DeadLetter
	require.NoError(t, json.Unmarshal(readAll(t, c, p.topics.DeadLetter.Name, 1)[0].Value, &l))
	require.Equal(t, string(claim.ReasonUnavailable), l.Reason)
}
