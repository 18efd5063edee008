package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// transition is what a consumer of the alerts topic sees, without the offsets that differ from one log
// to another.
type transition struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	Patient string    `json:"patient"`
	Rule    string    `json:"rule"`
	At      time.Time `json:"at"`
	Since   time.Time `json:"since"`
	Message string    `json:"message"`
}

// alerts reads the whole alerts topic of a stopped server's data directory, per patient in order, and
// drops repeats by their ID as a consumer would.
func alerts(t *testing.T, data string) map[string][]transition {
	t.Helper()
	log := logOf(t, data)
	topic := log.prefix + "alerts"
	client, err := kgo.NewClient(kgo.SeedBrokers(log.broker), kgo.ConsumeTopics(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	byPatient, seen := map[string][]transition{}, map[string]bool{}
	for left > 0 {
		fetched := client.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			t.Fatal(err)
		}
		fetched.EachRecord(func(r *kgo.Record) {
			left--
			var x transition
			if err := json.Unmarshal(r.Value, &x); err != nil {
				t.Errorf("an alert that is not JSON: %v", err)
			}
			if seen[x.ID] {
				return
			}
			seen[x.ID] = true
			x.ID = ""
			byPatient[x.Patient] = append(byPatient[x.Patient], x)
		})
	}
	return byPatient
}

// monitored draws a stream of observations of a few patients that makes rules fire and clear, cut into
// requests as a monitor gateway would send them, in order of time.
func monitored(requests int) (bodies [][]byte, patients []string, end time.Time) {
	r := rand.New(rand.NewPCG(7, 11))
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for p := range 20 {
		patients = append(patients, fmt.Sprintf("bed-%02d", p))
	}
	for range requests {
		var b bytes.Buffer
		for range 40 {
			at = at.Add(time.Duration(20+r.IntN(200)) * time.Second)
			p := patients[r.IntN(len(patients))]
			switch r.IntN(4) {
			case 0:
				fmt.Fprintf(&b, `{"patient":%q,"code":"loinc|2823-3","time":%q,"value":%.1f,"unit":"mmol/L"}`, p, at.Format(time.RFC3339), 3.5+r.Float64()*3.5)
			case 1:
				fmt.Fprintf(&b, `{"patient":%q,"code":"loinc|2160-0","time":%q,"value":%.2f,"unit":"mg/dL"}`, p, at.Format(time.RFC3339), 0.6+r.Float64()*1.6)
			case 2:
				fmt.Fprintf(&b, `{"patient":%q,"code":"loinc|8867-4","time":%q,"value":%d,"unit":"/min"}`, p, at.Format(time.RFC3339), 55+r.IntN(80))
			default:
				fmt.Fprintf(&b, `{"patient":%q,"code":"loinc|9279-1","time":%q,"value":%d,"unit":"/min"}`, p, at.Format(time.RFC3339), 10+r.IntN(20))
			}
			b.WriteByte('\n')
		}
		bodies = append(bodies, b.Bytes())
	}
	return bodies, patients, at
}

// feed sends the requests one after another until one fails, and returns how many were acknowledged and
// the last position.
func (s *server) feed(bodies [][]byte) (acknowledged int, position string) {
	for _, body := range bodies {
		resp, err := post(s.url+"/v1/observations", "application/x-ndjson", body)
		if err != nil || resp.status != 200 {
			return acknowledged, position
		}
		var got struct {
			Position string `json:"position"`
		}
		if err := json.Unmarshal(resp.body, &got); err != nil {
			s.t.Fatal(err)
		}
		acknowledged, position = acknowledged+1, got.Position
	}
	return acknowledged, position
}

const pack = `pack: monitor
inputs:
  potassium:  {observation: ["loinc|2823-3"], unit: mmol/L}
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
  heart_rate: {observation: ["loinc|8867-4"], unit: /min}
  resp_rate:  {observation: ["loinc|9279-1"], unit: /min}
rules:
  - {id: high-potassium, title: High potassium, severity: critical, source: test, when: "potassium.last('2h') > 6", message: "Potassium {{ potassium.last('2h') }}"}
  - {id: rising-creatinine, title: Rising creatinine, severity: warning, source: test, when: "creatinine.last('12h') >= 1.5 * creatinine.min('12h')"}
  - {id: strain, title: Fast heart and breath, severity: info, source: test, when: "heart_rate.last('1h') > 90 and resp_rate.last('1h') > 20"}
  - {id: no-potassium, title: Potassium not repeated, severity: info, source: test, when: "potassium.hours_since('2d') >= 3"}
`

// A server is killed in the midst of an ingest, more than once, started again each time, and given what
// it had not acknowledged. Nothing acknowledged is lost, and the alerts are those of a run undisturbed.
func TestAKilledServerLosesNothingThatItAcknowledged(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "monitor.yaml")
	write(t, rules, pack)
	bodies, patients, end := monitored(60)
	now := end.Add(30 * time.Minute).Format(time.RFC3339)

	calm := t.TempDir()
	s := serve(t, calm, "--clock", "log", "--rules", rules)
	n, position := s.feed(bodies)
	if n != len(bodies) {
		t.Fatalf("an undisturbed run acknowledged %d of %d requests", n, len(bodies))
	}
	want := s.answers(patients, now, position)
	s.stop()

	rough := t.TempDir()
	r := rand.New(rand.NewPCG(3, 5))
	sent, kills := 0, 0
	for sent < len(bodies) {
		s := serve(t, rough, "--clock", "log", "--rules", rules)
		if kills < 4 {
			kills++
			after := time.Duration(50+r.IntN(300)) * time.Millisecond
			killed := make(chan struct{})
			time.AfterFunc(after, func() { s.kill(); close(killed) })
			n, _ := s.feed(bodies[sent:min(sent+12, len(bodies))])
			<-killed
			sent += n
			continue
		}
		n, position := s.feed(bodies[sent:])
		if sent += n; sent != len(bodies) {
			t.Fatalf("after the last start %d of %d requests were acknowledged", sent, len(bodies))
		}
		got := s.answers(patients, now, position)
		for _, p := range patients {
			if fmt.Sprint(got[p]) != fmt.Sprint(want[p]) {
				t.Errorf("%s: the answer after %d kills is\n%v\nundisturbed it is\n%v", p, kills, got[p], want[p])
			}
		}
		s.stop()
	}

	undisturbed, disturbed := alerts(t, calm), alerts(t, rough)
	transitions := 0
	for _, p := range patients {
		transitions += len(undisturbed[p])
		if !slices.Equal(undisturbed[p], disturbed[p]) {
			t.Errorf("%s: the alerts after %d kills are\n%s\nundisturbed they are\n%s", p, kills, list(disturbed[p]), list(undisturbed[p]))
		}
	}
	if transitions < 100 {
		t.Errorf("only %d transitions: the run proves little", transitions)
	}
	t.Logf("%d kills, %d transitions, all alike", kills, transitions)
}

func list(all []transition) string {
	var b strings.Builder
	for _, x := range all {
		fmt.Fprintf(&b, "  %s %s %s\n", x.At.Format(time.RFC3339), x.Kind, x.Rule)
	}
	return b.String()
}
