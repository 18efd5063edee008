package crash

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vigil-cds/vigil/internal/crashpoint"
)

var kills = flag.Int("kills", 12, "how often a process is killed at least")

const (
	killsPerRun = 25 // over one data directory
	requests    = 150
	partitions  = 4
)

// pack has rules that facts make true, and rules that the passing of time does.
const pack = `pack: monitor
inputs:
  potassium:  {observation: ["loinc|2823-3"], unit: mmol/L}
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
  heart_rate: {observation: ["loinc|8867-4"], unit: /min}
rules:
  - {id: high-potassium, title: High potassium, severity: critical, source: test, when: "potassium.last('2h') > 6", message: "Potassium {{ potassium.last('2h') }}"}
  - {id: rising-creatinine, title: Rising creatinine, severity: warning, source: test, when: "creatinine.last('12h') >= 1.5 * creatinine.min('12h')"}
  - {id: strain, title: Fast heart, severity: info, source: test, when: "heart_rate.count('1h', value > 90) >= 2"}
  - {id: no-potassium, title: Potassium not repeated, severity: info, source: test, when: "potassium.hours_since('2d') >= 3"}
`

// monitored draws what a monitor's gateway sends about a few patients, in order of time.
func monitored(requests int) (bodies [][]byte, patients []string, end time.Time) {
	r := rand.New(rand.NewPCG(7, 11))
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for p := range 12 {
		patients = append(patients, fmt.Sprintf("bed-%02d", p))
	}
	for range requests {
		var b bytes.Buffer
		for range 1 + r.IntN(12) {
			at = at.Add(time.Duration(20+r.IntN(400)) * time.Second)
			line := func(code string, value float64, unit string) {
				fmt.Fprintf(&b, `{"patient":%q,"code":%q,"time":%q,"value":%.2f,"unit":%q}`+"\n",
					patients[r.IntN(len(patients))], code, at.Format(time.RFC3339), value, unit)
			}
			switch r.IntN(3) {
			case 0:
				line("loinc|2823-3", 3.5+r.Float64()*3.5, "mmol/L")
			case 1:
				line("loinc|2160-0", 0.6+r.Float64()*1.6, "mg/dL")
			default:
				line("loinc|8867-4", 55+r.Float64()*80, "/min")
			}
		}
		bodies = append(bodies, b.Bytes())
	}
	return bodies, patients, at
}

// workload is what every run is fed, and what comes of it undisturbed.
type workload struct {
	args        []string
	bodies      [][]byte
	patients    []string
	now         string
	answers     map[string]string
	transitions map[string][]string
}

// where counts how the children of all runs ended.
type where struct {
	sync.Mutex
	killed map[string]int
}

func (w *where) count(name string) {
	w.Lock()
	w.killed[name]++
	w.Unlock()
}

// A process is killed again and again, at each point of a record's life and at any instant, and started
// again over what it left. In the end it holds, answers and has sent what it would have, had it never been
// disturbed.
func TestAKillChangesNothing(t *testing.T) {
	w := undisturbedly(t)
	began, ends := time.Now(), &where{killed: map[string]int{}}
	t.Run("runs", func(t *testing.T) {
		for n := 0; n*killsPerRun < *kills; n++ {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				w.rough(t, rand.New(rand.NewPCG(*seed, uint64(n))), min(killsPerRun, *kills-n*killsPerRun), ends)
			})
		}
	})
	all := 0
	for _, n := range ends.killed {
		all += n
	}
	t.Logf("%d kills in %s, %d transitions in each run: %v", all, time.Since(began).Round(time.Millisecond), total(w.transitions), ends.killed)
}

// undisturbedly runs the workload in a child that nothing happens to.
func undisturbedly(t *testing.T) *workload {
	t.Helper()
	w := &workload{args: []string{"--clock", "log", "--rules", packFile(t), "--roles", "intake,rules", "--kafka-partitions", fmt.Sprint(partitions)}}
	var end time.Time
	w.bodies, w.patients, end = monitored(requests)
	w.now = end.Add(30 * time.Minute).Format(time.RFC3339)
	data := t.TempDir()
	w.answers = w.finish(t, data, 0, new(reached))
	w.transitions = inspect(t, data, partitions)
	if n := total(w.transitions); n < 100 {
		t.Fatalf("only %d transitions: the runs would prove little", n)
	}
	return w
}

// packFile writes the rules.
func packFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "monitor.yaml")
	if err := os.WriteFile(path, []byte(pack), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func total(transitions map[string][]string) (n int) {
	for _, all := range transitions {
		n += len(all)
	}
	return n
}

// finish feeds what is left to a child that is not killed, and returns its answers.
func (w *workload) finish(t *testing.T, data string, sent int, r *reached) map[string]string {
	t.Helper()
	c := start(t, data, "", w.args...)
	url, ok := c.listening(t)
	if !ok {
		t.Fatalf("vigil serve ended before it listened: %s\n%s", c.cmd.ProcessState, c.logs.String())
	}
	for i, body := range w.bodies[sent:] {
		if !c.post(url, body, r) {
			t.Fatalf("request %d was not acknowledged", sent+i)
		}
	}
	answers := map[string]string{}
	for _, p := range w.patients {
		answers[p] = c.answer(t, url, p, w.now, r)
	}
	c.stop(t)
	return answers
}

// rough is one run over one data directory.
func (w *workload) rough(t *testing.T, random *rand.Rand, kills int, ends *where) {
	data := t.TempDir()
	sent, r := 0, new(reached)
	for left := kills; left > 0; left-- {
		quota := (len(w.bodies) - 1 - sent) / left
		sent += w.life(t, data, random, w.bodies[sent:sent+quota], r, ends)
	}
	answers := w.finish(t, data, sent, r)
	transitions := inspect(t, data, partitions)
	w.compare(t, fmt.Sprintf("after %d kills", kills), answers, transitions)
}

// compare holds what a run answered and sent to what comes undisturbed.
func (w *workload) compare(t *testing.T, when string, answers map[string]string, transitions map[string][]string) {
	t.Helper()
	for _, p := range w.patients {
		if answers[p] != w.answers[p] {
			t.Errorf("%s: the answer %s is\n%s\nundisturbed it is\n%s", p, when, answers[p], w.answers[p])
		}
		if !slices.Equal(transitions[p], w.transitions[p]) {
			t.Errorf("%s: the transitions %s are\n  %s\nundisturbed they are\n  %s", p, when,
				strings.Join(transitions[p], "\n  "), strings.Join(w.transitions[p], "\n  "))
		}
	}
	if len(transitions) != len(w.transitions) {
		t.Errorf("there are transitions of %v, undisturbed of %v", slices.Sorted(maps.Keys(transitions)), slices.Sorted(maps.Keys(w.transitions)))
	}
}

// life runs one child until it is killed, and returns how many of the requests it acknowledged.
func (w *workload) life(t *testing.T, data string, random *rand.Rand, bodies [][]byte, r *reached, ends *where) (sent int) {
	t.Helper()
	point, kill := crashpoint.Point(""), time.Hour
	if n := random.IntN(len(crashpoint.Points()) + 3); n < len(crashpoint.Points()) {
		point = crashpoint.Points()[n]
	} else {
		kill = time.Duration(random.IntN(250)) * time.Millisecond
	}
	end := ""
	if point != "" {
		most := 30
		switch point {
		case crashpoint.AfterLogWrite:
			most = len(bodies)
		case crashpoint.BeforeSend, crashpoint.AfterSend:
			most = 4
		}
		end = fmt.Sprintf("%s:%d", point, 1+random.IntN(max(most, 1)))
	}
	c := start(t, data, end, w.args...)
	timer := time.AfterFunc(kill, c.kill)
	defer timer.Stop()
	pause := time.Duration(0)
	if random.IntN(16) == 0 { // long enough for offsets to be committed, which is once a second
		pause = 1200 * time.Millisecond / time.Duration(len(bodies)+1)
	}
	if url, ok := c.listening(t); ok {
		for _, body := range bodies {
			time.Sleep(pause)
			if !c.post(url, body, r) {
				break
			}
			sent++
		}
	}
	if point != "" {
		select { // the processors are behind what was acknowledged
		case <-c.ended:
		case <-time.After(100 * time.Millisecond):
			point = ""
		}
	}
	c.kill()
	c.killed(t)
	if point == "" {
		ends.count("any instant")
	} else {
		ends.count(string(point))
	}
	return sent
}
