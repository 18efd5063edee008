package bench

import (
	"hash/fnv"
	"iter"
	"math/rand"
	"slices"
	"strconv"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Workload is a ward of patients with laboratory values and vital signs of the last 90 days, most of them
// recent, and the answers to five rules at three instants. The same parameters give the same workload.
type Workload struct {
	Patients int
	Facts    []Fact // by time, then patient, then code; no two of one patient and code share an instant
}

// Fact is one observation of the workload.
type Fact struct {
	Time    clinical.Instant
	Patient int32
	Code    uint8 // index into Codes
	Value   float64
}

// Codes are the LOINC codes that stand for the workload's measurements, in its own order: creatinine,
// potassium, glucose, temperature, heart rate, respiratory rate, white cells, systolic pressure.
var Codes = [...]clinical.Code{"loinc|2160-0", "loinc|2823-3", "loinc|2345-7", "loinc|8310-5", "loinc|8867-4", "loinc|9279-1", "loinc|6690-2", "loinc|8480-6"}

const (
	creatinine = iota
	potassium
	glucose
	temperature
	heartRate
	respRate
	wbc
	systolic
)

// Pack is the five rules in the language.
const Pack = `pack: ward
inputs:
  creatinine:  {observation: ["loinc|2160-0"]}
  potassium:   {observation: ["loinc|2823-3"]}
  glucose:     {observation: ["loinc|2345-7"]}
  temperature: {observation: ["loinc|8310-5"]}
  heart_rate:  {observation: ["loinc|8867-4"]}
  resp_rate:   {observation: ["loinc|9279-1"]}
  wbc:         {observation: ["loinc|6690-2"]}
  systolic_bp: {observation: ["loinc|8480-6"]}
rules:
  - id: hyperkalaemia
    title: High potassium
    severity: critical
    source: the ward workload, rule 1
    when: potassium.last('24h') > 6.0
  - id: aki
    title: Creatinine rising
    severity: warning
    source: the ward workload, rule 2
    when: >-
      creatinine.last('48h') - creatinine.min('48h') >= 0.305
      or creatinine.last('7d') >= 1.5037 * creatinine.min('7d')
  - id: sirs
    title: Systemic inflammatory response
    severity: warning
    source: the ward workload, rule 3
    when:
      at_least:
        n: 2
        of:
          - temperature.last('4h') > 38.3
          - heart_rate.last('4h') > 90
          - resp_rate.last('4h') > 20
          - wbc.last('24h') > 12
  - id: glucose-monitoring
    title: Glucose measured often
    severity: info
    source: the ward workload, rule 4
    when: glucose.count('30d') >= 5
  - id: sustained-hypotension
    title: Low pressure throughout
    severity: critical
    source: the ward workload, rule 5
    when: systolic_bp.exists('2h') and systolic_bp.max('2h') < 90
`

// RuleIDs are the rules of Pack in the workload's order.
var RuleIDs = [...]string{"hyperkalaemia", "aki", "sirs", "glucose-monitoring", "sustained-hypotension"}

const (
	minute = clinical.Instant(60_000)
	hour   = 60 * minute
	day    = 24 * hour
	// End is when the workload's data ends.
	End clinical.Instant = 1_767_225_600_000 // 2026-01-01T00:00:00Z
)

// Instants are when the rules are asked: at the end, and 3 hours and 2 days later with nothing new.
var Instants = [...]clinical.Instant{End, End + 3*hour, End + 2*day}

// PatientID is how the workload names its patients.
func PatientID(p int32) string {
	s := strconv.Itoa(int(p))
	return "p0000000"[:8-len(s)] + s
}

// NewWorkload draws the workload. Ages of facts are spread evenly over the logarithm from ten minutes
// to 90 days.
func NewWorkload(patients, facts int, seed int64) *Workload {
	r := rand.New(rand.NewSource(seed))
	w := &Workload{Patients: patients, Facts: make([]Fact, 0, patients*facts)}
	for p := range patients {
		for range facts {
			age := min(clinical.Instant(float64(10*minute)*powerOfTwo(r.Float64()*13.6)), 90*day)
			code := uint8(r.Intn(len(Codes)))
			w.Facts = append(w.Facts, Fact{End - age, int32(p), code, draw(r, code)})
		}
	}
	slices.SortFunc(w.Facts, compare)
	type key struct {
		at      clinical.Instant
		patient int32
		code    uint8
	}
	seen := make(map[key]bool, len(w.Facts))
	w.Facts = slices.DeleteFunc(w.Facts, func(f Fact) bool {
		k := key{f.Time, f.Patient, f.Code}
		was := seen[k]
		seen[k] = true
		return was
	})
	return w
}

// powerOfTwo is piecewise linear between the whole powers: the workload's own definition.
func powerOfTwo(e float64) float64 {
	x := 1.0
	for ; e >= 1; e-- {
		x *= 2
	}
	return x * (1 + e)
}

func draw(r *rand.Rand, code uint8) float64 {
	tenth := func(x float64) float64 { return float64(int64(x*10+0.5)) / 10 }
	switch code {
	case creatinine:
		return float64(int64((0.5+r.ExpFloat64()*0.4)*100+0.5)) / 100
	case potassium:
		return tenth(4.3 + r.NormFloat64()*0.8)
	case glucose:
		return tenth(120 + r.NormFloat64()*50)
	case temperature:
		return tenth(37 + r.NormFloat64()*0.8)
	case heartRate:
		return tenth(80 + r.NormFloat64()*18)
	case respRate:
		return tenth(17 + r.NormFloat64()*4)
	case wbc:
		return tenth(9 + r.NormFloat64()*3)
	}
	return tenth(118 + r.NormFloat64()*20)
}

// Expected is the number of patients for whom a rule is true and the xor of the FNV-1a hashes of their IDs.
type Expected struct {
	Patients int
	Hash     uint64
}

// Add counts a patient.
func (e *Expected) Add(patient string) {
	h := fnv.New64a()
	h.Write([]byte(patient))
	e.Patients++
	e.Hash ^= h.Sum64()
}

// Expect answers the rules by hand over sorted slices, for each of Instants and RuleIDs.
func (w *Workload) Expect() [len(Instants)][len(RuleIDs)]Expected {
	var out [len(Instants)][len(RuleIDs)]Expected
	for p, facts := range w.ByPatient() {
		for i, now := range Instants {
			for r := range RuleIDs {
				if holds(r, facts, now) {
					out[i][r].Add(PatientID(p))
				}
			}
		}
	}
	return out
}

// ByPatient gives each patient's facts in order of time.
func (w *Workload) ByPatient() iter.Seq2[int32, []Fact] {
	return func(yield func(int32, []Fact) bool) {
		of := make([][]Fact, w.Patients)
		for _, f := range w.Facts {
			of[f.Patient] = append(of[f.Patient], f)
		}
		for p, facts := range of {
			if !yield(int32(p), facts) {
				return
			}
		}
	}
}

// window is what a rule written by hand needs of one code in [now-length, now].
func window(facts []Fact, code uint8, now, length clinical.Instant) (n int, last, least, most float64) {
	for _, f := range facts {
		if f.Code != code || f.Time > now || f.Time < now-length {
			continue
		}
		if n == 0 {
			least, most = f.Value, f.Value
		}
		n, last, least, most = n+1, f.Value, min(least, f.Value), max(most, f.Value)
	}
	return n, last, least, most
}

func holds(rule int, facts []Fact, now clinical.Instant) bool {
	switch rule {
	case 0:
		n, last, _, _ := window(facts, potassium, now, day)
		return n > 0 && last > 6
	case 1:
		n, last, least, _ := window(facts, creatinine, now, 2*day)
		if n > 0 && last-least >= 0.305 {
			return true
		}
		n, last, least, _ = window(facts, creatinine, now, 7*day)
		return n > 0 && last >= 1.5037*least
	case 2:
		met := 0
		for _, c := range []struct {
			code   uint8
			length clinical.Instant
			limit  float64
		}{{temperature, 4 * hour, 38.3}, {heartRate, 4 * hour, 90}, {respRate, 4 * hour, 20}, {wbc, day, 12}} {
			if n, last, _, _ := window(facts, c.code, now, c.length); n > 0 && last > c.limit {
				met++
			}
		}
		return met >= 2
	case 3:
		n, _, _, _ := window(facts, glucose, now, 30*day)
		return n >= 5
	}
	n, _, _, most := window(facts, systolic, now, 2*hour)
	return n > 0 && most < 90
}

// compare is the workload's order of facts.
func compare(a, b Fact) int {
	switch {
	case a.Time != b.Time:
		return int(a.Time - b.Time)
	case a.Patient != b.Patient:
		return int(a.Patient - b.Patient)
	}
	return int(a.Code) - int(b.Code)
}
