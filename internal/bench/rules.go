package bench

import (
	"fmt"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// RuleIDs are the five rules of the workload in its own order.
var RuleIDs = [...]string{"hyperkalaemia", "aki", "sirs", "glucose-monitoring", "sustained-hypotension"}

// PerVariant is how many rules a variant of the workload's rules has.
const PerVariant = len(RuleIDs)

// RuleID names a rule: the workload's own five come first, then those of each further variant.
func RuleID(n int) string {
	if n < PerVariant {
		return RuleIDs[n]
	}
	return fmt.Sprintf("%s-%d", RuleIDs[n%PerVariant], n/PerVariant)
}

// Limits are the numbers of one variant of the rules.
type Limits struct {
	Potassium, Rise, Ratio                float64
	Temperature, HeartRate, RespRate, WBC float64
	Glucose                               int
	Systolic                              float64
}

// LimitsOf are those of a variant; 0 is the workload's own. Another has each of them a little further out,
// so that no two variants ask the same.
func LimitsOf(variant int) Limits {
	v := float64(variant)
	return Limits{
		Potassium: 6 + v/20, Rise: 0.305 + v/100, Ratio: 1.5037 + v/100,
		Temperature: 38.3 + v/20, HeartRate: 90 + v, RespRate: 20 + v/2, WBC: 12 + v/4,
		Glucose: 5 + variant, Systolic: 90 - v,
	}
}

// Windows of the rules.
const (
	PotassiumWindow = 24 * hour
	RiseWindow      = 48 * hour
	RatioWindow     = 7 * day
	VitalsWindow    = 4 * hour
	WBCWindow       = 24 * hour
	GlucoseWindow   = 30 * day
	SystolicWindow  = 2 * hour
)

// Pack is the rules in the language: so many variants of the five.
func Pack(variants int) string {
	var b strings.Builder
	b.WriteString(`pack: ward
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
`)
	for v := range variants {
		l, id := LimitsOf(v), func(n int) string { return RuleID(v*PerVariant + n) }
		fmt.Fprintf(&b, `  - id: %s
    title: High potassium
    severity: critical
    source: the ward workload, rule 1
    when: potassium.last('24h') > %g
  - id: %s
    title: Creatinine rising
    severity: warning
    source: the ward workload, rule 2
    when: >-
      creatinine.last('48h') - creatinine.min('48h') >= %g
      or creatinine.last('7d') >= %g * creatinine.min('7d')
  - id: %s
    title: Systemic inflammatory response
    severity: warning
    source: the ward workload, rule 3
    when:
      at_least:
        n: 2
        of:
          - temperature.last('4h') > %g
          - heart_rate.last('4h') > %g
          - resp_rate.last('4h') > %g
          - wbc.last('24h') > %g
  - id: %s
    title: Glucose measured often
    severity: info
    source: the ward workload, rule 4
    when: glucose.count('30d') >= %d
  - id: %s
    title: Low pressure throughout
    severity: critical
    source: the ward workload, rule 5
    when: systolic_bp.exists('2h') and systolic_bp.max('2h') < %g
`, id(0), l.Potassium, id(1), l.Rise, l.Ratio, id(2), l.Temperature, l.HeartRate, l.RespRate, l.WBC, id(3), l.Glucose, id(4), l.Systolic)
	}
	return b.String()
}

// holds answers a rule by hand over a patient's facts.
func (l *Limits) holds(rule int, facts []Fact, now clinical.Instant) bool {
	switch rule {
	case 0:
		n, last, _, _ := window(facts, Potassium, now, PotassiumWindow)
		return n > 0 && last > l.Potassium
	case 1:
		n, last, least, _ := window(facts, Creatinine, now, RiseWindow)
		if n > 0 && last-least >= l.Rise {
			return true
		}
		n, last, least, _ = window(facts, Creatinine, now, RatioWindow)
		return n > 0 && last >= l.Ratio*least
	case 2:
		met := 0
		for _, c := range []struct {
			code   uint8
			length clinical.Instant
			limit  float64
		}{{Temperature, VitalsWindow, l.Temperature}, {HeartRate, VitalsWindow, l.HeartRate}, {RespRate, VitalsWindow, l.RespRate}, {WBC, WBCWindow, l.WBC}} {
			if n, last, _, _ := window(facts, c.code, now, c.length); n > 0 && last > c.limit {
				met++
			}
		}
		return met >= 2
	case 3:
		n, _, _, _ := window(facts, Glucose, now, GlucoseWindow)
		return n >= l.Glucose
	}
	n, _, _, most := window(facts, Systolic, now, SystolicWindow)
	return n > 0 && most < l.Systolic
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
