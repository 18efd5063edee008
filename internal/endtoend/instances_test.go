package endtoend

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/processor"
)

const instancesPack = `pack: instances
inputs:
  potassium: {observation: ["loinc|2823-3"], unit: mmol/L}
rules:
  - id: hyperkalaemia
    title: Potassium is high
    severity: critical
    source: test
    when: potassium.last() >= 6
    message: Potassium {{ potassium.last() }} mmol/L
`

// cluster is several instances over one log, and clients that write and read all the while.
type cluster struct {
	t       *testing.T
	log     log
	flags   []string
	dirs    []string
	urls    []string // where each listens, before and after a restart
	servers []*server
	client  *http.Client

	stop    context.CancelFunc
	joined  sync.WaitGroup
	written [residents]atomic.Int64 // how many results each patient has, acknowledged
	last    [residents]atomic.Pointer[string]
	faults  chan string
	gap     atomic.Int64 // the longest time without an answer, in nanoseconds
	copies  atomic.Int64 // answers that came from copies
	reads   atomic.Int64
}

const residents = 24

func newCluster(t *testing.T, instances int, flags ...string) *cluster {
	dir := t.TempDir()
	pack := filepath.Join(dir, "instances.yaml")
	write(t, pack, instancesPack)
	w := &cluster{t: t, faults: make(chan string, 1000), client: &http.Client{Timeout: 20 * time.Second}}
	w.log = newLog(t)
	w.flags = append(w.log.flags(), "--rules", pack, "--kafka-partitions", "6", "--kafka-session-timeout", "6s", "--roles", "intake,rules")
	w.flags = append(w.flags, flags...)
	for i := range instances {
		w.dirs = append(w.dirs, filepath.Join(dir, fmt.Sprint("data", i)))
		w.urls = append(w.urls, "127.0.0.1:"+unusedPort(t))
		w.servers = append(w.servers, nil)
		w.start(i)
	}
	w.shared(instances)
	return w
}

// unusedPort is one on which nothing listens.
func unusedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

func (w *cluster) start(i int) {
	w.t.Helper()
	w.servers[i] = serve(w.t, w.dirs[i], append([]string{"--listen", w.urls[i]}, w.flags...)...)
}

// owned is how many partitions the instance owns and has applied to their end.
func (w *cluster) owned(i int) int {
	var page struct{ Partitions []int32 }
	req, err := http.NewRequest(http.MethodGet, w.servers[i].url+"/v1/alerts?limit=1", nil)
	require.NoError(w.t, err)
	req.Header.Set("Vigil-Passed-On-By", "a test") // what this instance alone says
	resp, err := w.client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if json.NewDecoder(resp.Body).Decode(&page) != nil {
		return 0
	}
	return len(page.Partitions)
}

// shared waits until as many instances as that own all partitions, as evenly as it goes.
func (w *cluster) shared(instances int) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		sum := 0
		for i := range w.servers {
			n := 0
			if w.servers[i] != nil {
				n = w.owned(i)
			}
			if n > 6/instances {
				return false
			}
			sum += n
		}
		return sum == 6
	}, 90*time.Second, 100*time.Millisecond, "the partitions are shared")
}

// load writes and reads until rest is called, and returns when each patient has a result. A request goes to one instance after the other, as a load
// balancer would send it: an instance that takes no connection is passed over, and no other failure is.
func (w *cluster) load() {
	ctx, stop := context.WithCancel(w.t.Context())
	w.stop = stop
	w.joined.Go(func() {
		for n := 0; ctx.Err() == nil; n++ { // the last write is waited for
			p := n % residents
			count := w.written[p].Load()
			value := "4.1"
			if count%2 == 0 {
				value = "6.4"
			}
			body := fmt.Sprintf(`{"resourceType":"Observation","id":"k-%d-%d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},`+
				`"subject":{"reference":"Patient/w%d"},"effectiveDateTime":"%s","valueQuantity":{"value":%s,"code":"mmol/L"}}`,
				p, count, p, time.UnixMilli(1_767_225_600_000+1000*count).UTC().Format(time.RFC3339), value)
			status, header, answer := w.send(w.t.Context(), n, http.MethodPut, fmt.Sprintf("/fhir/Observation/k-%d-%d", p, count), body)
			if status != http.StatusOK {
				w.faults <- fmt.Sprintf("a write failed: %d %s", status, answer)
				continue
			}
			position := header.Get("Vigil-Position")
			w.last[p].Store(&position)
			w.written[p].Add(1)
		}
	})
	for reader := range 2 {
		w.joined.Go(func() {
			answered := time.Now()
			for n := reader; ctx.Err() == nil; n++ {
				status, _, answer := w.send(ctx, n, http.MethodGet, fmt.Sprintf("/v1/patients/w%d/alerts", n%residents), "")
				if ctx.Err() != nil {
					return
				}
				if status != http.StatusOK {
					w.faults <- fmt.Sprintf("a read failed: %d %s", status, answer)
					continue
				}
				w.reads.Add(1)
				var a struct{ Copy *struct{} }
				if json.Unmarshal(answer, &a) == nil && a.Copy != nil {
					w.copies.Add(1)
				}
				now := time.Now()
				if gap := int64(now.Sub(answered)); gap > w.gap.Load() {
					w.gap.Store(gap)
				}
				answered = now
			}
		})
	}
	require.Eventually(w.t, func() bool {
		for p := range residents {
			if w.last[p].Load() == nil {
				return false
			}
		}
		return true
	}, 30*time.Second, 10*time.Millisecond, "each patient has a result")
}

func (w *cluster) send(ctx context.Context, n int, method, path, body string) (int, http.Header, []byte) {
	for ctx.Err() == nil {
		for i := range w.urls {
			status, header, answer, err := w.sendTo(ctx, "http://"+w.urls[(n+i)%len(w.urls)], method, path, body)
			if err == nil {
				return status, header, answer
			}
		}
	}
	return 0, nil, nil
}

func (w *cluster) sendTo(ctx context.Context, url, method, path, body string) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Content-Type", mediaFHIR)
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, answer, err
}

// rest ends the load, and holds every instance to the same true answers.
func (w *cluster) rest() {
	w.t.Helper()
	w.stop()
	w.joined.Wait()
	close(w.faults)
	for f := range w.faults {
		w.t.Error(f)
	}
	for p := range residents {
		position := w.last[p].Load()
		require.NotNil(w.t, position)
		want := []string{}
		if w.written[p].Load()%2 == 1 {
			want = []string{"hyperkalaemia"}
		}
		for _, s := range w.servers {
			if s != nil {
				require.Equal(w.t, want, s.active(fmt.Sprint("w", p), *position), "patient %d", p)
			}
		}
	}
	// Each result changed what is true: each has its alert, and repeats are the same.
	var results int64
	for p := range residents {
		results += w.written[p].Load()
	}
	ids, sent := map[string]bool{}, 0
	require.Eventually(w.t, func() bool { // a repeat must not be taken for one that is yet to come
		clear(ids)
		all := consume(w.t, w.log.broker, w.log.prefix+"alerts", int(results))
		for _, r := range all {
			ids[string(r.Headers[0].Value)] = true
		}
		sent = len(all)
		return len(ids) >= int(results)
	}, 30*time.Second, 200*time.Millisecond, "%d results", results)
	require.Equal(w.t, int(results), len(ids), "alerts")
	w.t.Logf("%d results written, each with its alert; %d alerts were sent again", results, sent-len(ids))
	w.t.Logf("%d reads, %d of them by copies, the longest time without an answer %v", w.reads.Load(), w.copies.Load(), time.Duration(w.gap.Load()).Round(time.Millisecond))
}

func TestARollingRestartFailsNothing(t *testing.T) {
	w := newCluster(t, 3, "--standby", "1")
	w.load()
	for i := range w.servers {
		s := w.servers[i]
		s.stop()
		w.start(i)
		w.shared(3)
	}
	w.rest()
}

func TestTheLossOfAnInstanceCostsNoAnswers(t *testing.T) {
	w := newCluster(t, 3, "--standby", "1")
	w.load()
	time.Sleep(time.Second)
	began := time.Now()
	w.servers[1].kill()
	w.servers[1] = nil
	w.shared(2)
	t.Logf("its partitions had other owners after %v", time.Since(began).Round(time.Millisecond))
	w.rest()
}

func TestAnyInstanceAnswersAboutAnyPatient(t *testing.T) {
	w := newCluster(t, 3)
	for p := range residents {
		body := fmt.Sprintf(`{"resourceType":"Observation","id":"k%d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},`+
			`"subject":{"reference":"Patient/w%d"},"effectiveDateTime":"2026-01-01T00:00:00Z","valueQuantity":{"value":6.4,"code":"mmol/L"}}`, p, p)
		status, header, answer := w.servers[p%3].send(http.MethodPut, fmt.Sprintf("/fhir/Observation/k%d", p), mediaFHIR, []byte(body))
		require.Equal(t, http.StatusOK, status, string(answer))
		for _, s := range w.servers {
			require.Equal(t, []string{"hyperkalaemia"}, s.active(fmt.Sprint("w", p), header.Get("Vigil-Position")))
		}
	}
	var pages []string
	for _, s := range w.servers {
		seen, cursor := map[string]bool{}, ""
		for {
			var page struct {
				Alerts            []struct{ Patient string }
				Next              string
				MissingPartitions []int32
			}
			s.get("/v1/alerts?limit=5&cursor="+cursor, &page)
			require.Empty(t, page.MissingPartitions)
			for _, a := range page.Alerts {
				require.False(t, seen[a.Patient])
				seen[a.Patient] = true
			}
			pages = append(pages, fmt.Sprint(len(page.Alerts)))
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		require.Len(t, seen, residents)
	}
	require.Len(t, pages, 3*5)

	// A result that was another's is taken away from them, whoever owns them and whoever is told.
	moved := `{"resourceType":"Observation","id":"k0","meta":{"versionId":"2"},"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},` +
		`"subject":{"reference":"Patient/%s"},"effectiveDateTime":"2026-01-01T00:00:00Z","valueQuantity":{"value":6.4,"code":"mmol/L"}}`
	other := ""
	for n := 0; other == "" || processor.Partition(other, 6) == processor.Partition("w0", 6); n++ {
		other = fmt.Sprint("moved", n)
	}
	for i, s := range w.servers {
		status, header, answer := s.send(http.MethodPut, "/fhir/Observation/k0", mediaFHIR, fmt.Appendf(nil, moved, other))
		require.Equal(t, http.StatusOK, status, string(answer))
		if i == 0 {
			require.Len(t, strings.Split(header.Get("Vigil-Position"), ","), 2)
		}
	}
	require.Eventually(t, func() bool { return len(w.servers[2].active("w0", "")) == 0 }, 10*time.Second, 20*time.Millisecond)
	status, _, _ := w.servers[1].send(http.MethodDelete, "/fhir/Observation/k0", "", nil)
	require.Equal(t, http.StatusNoContent, status)
	require.Eventually(t, func() bool { return len(w.servers[0].active(other, "")) == 0 }, 10*time.Second, 20*time.Millisecond)
}

func TestWithoutACopyTheLostPartitionsComeBackFromTheLog(t *testing.T) {
	w := newCluster(t, 2)
	w.load()
	time.Sleep(2 * time.Second)
	w.stop()
	w.joined.Wait()
	began := time.Now()
	w.servers[1].kill()
	w.servers[1] = nil
	refused := 0
	for p := range residents {
		for {
			status, header, answer, err := w.sendTo(t.Context(), "http://"+w.urls[0], http.MethodGet, fmt.Sprintf("/v1/patients/w%d/alerts", p), "")
			require.NoError(t, err)
			if status == http.StatusOK {
				break
			}
			refused++
			require.Equal(t, http.StatusServiceUnavailable, status, string(answer))
			require.Equal(t, "1", header.Get("Retry-After"))
			require.Less(t, time.Since(began), time.Minute)
		}
	}
	t.Logf("all patients are answered for after %v, with %d refusals", time.Since(began).Round(time.Millisecond), refused)
	w.shared(1)
	w.rest()
}
