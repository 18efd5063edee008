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
	Rules    int    // how many are asked of each patient: those of Pack, in the order of RuleID
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

// The workload's measurements, as indexes into Codes.
const (
	Creatinine = iota
	Potassium
	Glucose
	Temperature
	HeartRate
	RespRate
	WBC
	Systolic
)

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
	w := &Workload{Patients: patients, Rules: PerVariant, Facts: make([]Fact, 0, patients*facts)}
	for p := range patients {
		for range facts {
			age := min(clinical.Instant(float64(10*minute)*powerOfTwo(r.Float64()*13.6)), 90*day)
			code := uint8(r.Intn(len(Codes)))
			w.Facts = append(w.Facts, Fact{End - age, int32(p), code, draw(r, code)})
		}
	}
	slices.SortFunc(w.Facts, compare)
	w.Facts = slices.CompactFunc(w.Facts, func(a, b Fact) bool { return compare(a, b) == 0 })
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
	case Creatinine:
		return float64(int64((0.5+r.ExpFloat64()*0.4)*100+0.5)) / 100
	case Potassium:
		return tenth(4.3 + r.NormFloat64()*0.8)
	case Glucose:
		return tenth(120 + r.NormFloat64()*50)
	case Temperature:
		return tenth(37 + r.NormFloat64()*0.8)
	case HeartRate:
		return tenth(80 + r.NormFloat64()*18)
	case RespRate:
		return tenth(17 + r.NormFloat64()*4)
	case WBC:
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

// Expect answers the rules by hand over all of each patient's facts, for each of Instants in the order of
// RuleID. It is as plain as can be: what is fast is held to it.
func (w *Workload) Expect() [len(Instants)][]Expected {
	var out [len(Instants)][]Expected
	for i := range out {
		out[i] = make([]Expected, w.Rules)
	}
	for p, facts := range w.ByPatient() {
		for i, now := range Instants {
			for r := range w.Rules {
				limits := LimitsOf(r / PerVariant)
				if limits.holds(r%PerVariant, facts, now) {
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
