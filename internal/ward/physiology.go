package ward

import (
	"math"
	"time"
)

// sign is something measured of a patient.
type sign int

const (
	heartRate sign = iota
	respRate
	spo2
	temperature
	systolic
	diastolic
	sodium
	potassium
	creatinine
	urea
	glucose
	lactate
	whiteCells
	haemoglobin
	platelets
	inr
	magnesium
	crp
	signs // how many there are
)

// measure says how a sign is coded and how it behaves in somebody who is well enough: the mean and
// spread of personal baselines, how far and how slowly one person wanders about their own, and what
// is possible in somebody alive.
type measure struct {
	code         coding
	also         []coding
	unit, ucum   string
	decimals     int
	mean, spread float64
	wander       float64
	slowness     time.Duration
	low, high    float64
}

var measures = [signs]measure{
	heartRate:   {code: loinc("8867-4", "Heart rate"), unit: "beats/minute", ucum: "/min", mean: 76, spread: 7, wander: 4, slowness: 2 * time.Hour, low: 30, high: 200},
	respRate:    {code: loinc("9279-1", "Respiratory rate"), unit: "breaths/minute", ucum: "/min", mean: 15.5, spread: 1.2, wander: 1.1, slowness: 2 * time.Hour, low: 6, high: 50},
	spo2:        {code: loinc("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"), also: []coding{loinc("2708-6", "Oxygen saturation in Arterial blood")}, unit: "%", ucum: "%", mean: 97.2, spread: 0.7, wander: 0.6, slowness: 2 * time.Hour, low: 60, high: 100},
	temperature: {code: loinc("8310-5", "Body temperature"), unit: "°C", ucum: "Cel", decimals: 1, mean: 36.8, spread: 0.15, wander: 0.17, slowness: 6 * time.Hour, low: 32, high: 42},
	systolic:    {code: loinc("8480-6", "Systolic blood pressure"), unit: "mmHg", ucum: "mm[Hg]", mean: 130, spread: 9, wander: 6, slowness: 3 * time.Hour, low: 55, high: 240},
	diastolic:   {code: loinc("8462-4", "Diastolic blood pressure"), unit: "mmHg", ucum: "mm[Hg]", mean: 76, spread: 6, wander: 4, slowness: 3 * time.Hour, low: 30, high: 140},
	sodium:      {code: loinc("2951-2", "Sodium [Moles/volume] in Serum or Plasma"), unit: "mmol/L", ucum: "mmol/L", mean: 139, spread: 1.8, wander: 1.2, slowness: 24 * time.Hour, low: 110, high: 170},
	potassium:   {code: loinc("2823-3", "Potassium [Moles/volume] in Serum or Plasma"), unit: "mmol/L", ucum: "mmol/L", decimals: 1, mean: 4.2, spread: 0.2, wander: 0.12, slowness: 12 * time.Hour, low: 2.0, high: 8.5},
	creatinine:  {code: loinc("2160-0", "Creatinine [Mass/volume] in Serum or Plasma"), unit: "mg/dL", ucum: "mg/dL", decimals: 2, mean: 0.92, spread: 0.12, wander: 0.03, slowness: 24 * time.Hour, low: 0.2, high: 15},
	urea:        {code: loinc("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma"), unit: "mg/dL", ucum: "mg/dL", mean: 16, spread: 3, wander: 1, slowness: 24 * time.Hour, low: 2, high: 180},
	glucose:     {code: loinc("2345-7", "Glucose [Mass/volume] in Serum or Plasma"), unit: "mg/dL", ucum: "mg/dL", mean: 106, spread: 7, wander: 7, slowness: 3 * time.Hour, low: 25, high: 600},
	lactate:     {code: loinc("2524-7", "Lactate [Moles/volume] in Serum or Plasma"), unit: "mmol/L", ucum: "mmol/L", decimals: 1, mean: 1.0, spread: 0.15, wander: 0.12, slowness: 6 * time.Hour, low: 0.3, high: 20},
	whiteCells:  {code: loinc("6690-2", "Leukocytes [#/volume] in Blood by Automated count"), unit: "10*3/uL", ucum: "10*3/uL", decimals: 1, mean: 7.4, spread: 1.1, wander: 0.5, slowness: 24 * time.Hour, low: 0.2, high: 60},
	haemoglobin: {code: loinc("718-7", "Hemoglobin [Mass/volume] in Blood"), unit: "g/dL", ucum: "g/dL", decimals: 1, mean: 12.6, spread: 1.1, wander: 0.2, slowness: 48 * time.Hour, low: 4, high: 20},
	platelets:   {code: loinc("777-3", "Platelets [#/volume] in Blood by Automated count"), unit: "10*3/uL", ucum: "10*3/uL", mean: 245, spread: 45, wander: 10, slowness: 48 * time.Hour, low: 10, high: 900},
	inr:         {code: loinc("6301-6", "INR in Platelet poor plasma by Coagulation assay"), unit: "INR", ucum: "{INR}", decimals: 1, mean: 1.05, spread: 0.05, wander: 0.03, slowness: 24 * time.Hour, low: 0.8, high: 12},
	magnesium:   {code: loinc("19123-9", "Magnesium [Mass/volume] in Serum or Plasma"), unit: "mg/dL", ucum: "mg/dL", decimals: 1, mean: 2.05, spread: 0.1, wander: 0.05, slowness: 24 * time.Hour, low: 0.6, high: 6},
	crp:         {code: loinc("1988-5", "C reactive protein [Mass/volume] in Serum or Plasma"), unit: "mg/L", ucum: "mg/L", mean: 9, spread: 4, wander: 2, slowness: 24 * time.Hour, low: 1, high: 500},
}

// hold keeps a value to what the measure can be and to the decimals it is reported with.
func (m *measure) hold(x float64) float64 {
	scale := math.Pow10(m.decimals)
	return math.Round(min(max(x, m.low), m.high)*scale) / scale
}

// body is a patient's physiology: each sign wanders about its baseline and comes back to it (an
// Ornstein-Uhlenbeck process), and courses push it away for a time.
type body struct {
	base    [signs]float64
	away    [signs]float64
	asked   [signs]time.Time
	courses []course
}

// course is an illness over time: it rises from onset over rise to its full size, and from treated on
// halves with every half-life. Effects are what it adds to each sign at full size.
type course struct {
	onset, treated time.Time
	rise, halfLife time.Duration
	effects        map[sign]float64
}

// severity is 0 before the onset, 1 at full size.
func (c *course) severity(t time.Time) float64 {
	if t.Before(c.onset) {
		return 0
	}
	until := t
	if c.treated.Before(t) {
		until = c.treated
	}
	x := min(1, float64(until.Sub(c.onset))/float64(c.rise))
	s := x * x * (3 - 2*x)
	if t.After(c.treated) {
		s *= math.Exp2(-float64(t.Sub(c.treated)) / float64(c.halfLife))
	}
	return s
}

// newBody draws somebody's baselines.
func newBody(p *patient) body {
	var b body
	for s := range signs {
		m := &measures[s]
		b.base[s] = m.mean + m.spread*max(-2, min(2, p.rng.NormFloat64()))
	}
	return b
}

// value is what a sign truly is at t, unrounded. It is to be asked in order of time.
func (p *patient) value(s sign, t time.Time) float64 {
	m, b := &measures[s], &p.body
	kept := 0.0
	if !b.asked[s].IsZero() {
		kept = math.Exp(-float64(max(0, t.Sub(b.asked[s]))) / float64(m.slowness))
	}
	b.away[s] = b.away[s]*kept + m.wander*math.Sqrt(1-kept*kept)*p.rng.NormFloat64()
	b.asked[s] = t
	x := b.base[s] + b.away[s]
	for i := range b.courses {
		x += b.courses[i].effects[s] * b.courses[i].severity(t)
	}
	return x
}

// unrest is how much a patient's courses show in the pulse, 0 to 1: it decides how often the vital
// signs are taken. A failing kidney shows in nothing but its results.
func (p *patient) unrest(t time.Time) float64 {
	most := 0.0
	for i := range p.body.courses {
		c := &p.body.courses[i]
		most = max(most, c.severity(t)*math.Abs(c.effects[heartRate])/30)
	}
	return min(1, most)
}

// egfr estimates the glomerular filtration rate in mL/min/1.73 m² from creatinine in mg/dL by CKD-EPI
// 2021 (Inker LA et al., N Engl J Med 2021;385:1737-1749).
func egfr(creatinine, age float64, female bool) float64 {
	k, a, factor := 0.9, -0.302, 1.0
	if female {
		k, a, factor = 0.7, -0.241, 1.012
	}
	r := creatinine / k
	return 142 * math.Pow(min(r, 1), a) * math.Pow(max(r, 1), -1.2) * math.Pow(0.9938, age) * factor
}
