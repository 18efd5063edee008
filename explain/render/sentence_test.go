package render

import (
	"testing"
	"fmt"
)

func TestTry(t *testing.T) {
	for _, s := range []situation{
		{when: "potassium.last('24h') >= 6", facts: []string{"potassium: 5.2 @ -82m"}},
		{when: "potassium.last('24h') >= 6", facts: []string{"potassium: 6 @ -82m"}},
		{when: "potassium.last('24h') > 6", facts: []string{"potassium: 6 @ -82m"}},
		{when: "potassium.last('24h') > 6", facts: []string{"potassium: <5 @ -82m"}},
		{when: "potassium.last('24h') > 4", facts: []string{"potassium: <5 @ -82m"}},
		{when: "creatinine.last('7d') >= 1.5 * creatinine.min('7d')", facts: []string{"creatinine: 1.2 @ 2026-05-03", "creatinine: 1.9 @ -82m"}},
		{when: "creatinine.last('7d') >= 1.5 * creatinine.min('7d')", facts: []string{"creatinine: 1.2 @ 2026-05-03", "creatinine: 1.797 @ -82m"}},
		{when: "creatinine.last('7d') >= 1.5 * creatinine.min('7d')", facts: []string{"creatinine: 1.2 @ 2026-05-03"}},
		{when: "creatinine.last('48h') - creatinine.min('48h') >= 0.3", facts: []string{"creatinine: 144 umol/L @ -45h", "creatinine: 2.0 @ -82m"}},
		{when: "creatinine.last('48h') - creatinine.min('48h') >= 0.3", facts: []string{"creatinine: 1.5 @ -45h", "creatinine: 1.7 @ -82m"}},
		{when: "creatinine.max('48h') - creatinine.last('48h') >= 0.3", facts: []string{"creatinine: 1.5 @ -45h", "creatinine: 1.1 @ -82m"}},
		{when: "creatinine.max('48h') - creatinine.min('48h') >= 0.3", facts: []string{"creatinine: 1.5 @ -45h", "creatinine: 1.1 @ -82m"}},
		{when: "systolic.last('1h') - diastolic.last('1h') < 25", facts: []string{"systolic: 90 @ -10m", "diastolic: 70 @ -10m"}},
		{when: "pao2.last('12h') / fio2.last('12h') <= 300", facts: []string{"pao2: 80 @ -10m", "fio2: 0.4 @ -20m"}},
		{when: "low_glucose.count('24h') >= 3", facts: []string{"low_glucose: 60 @ -10m", "low_glucose: 61 @ -20m", "low_glucose: 61 @ -30m"}},
		{when: "low_glucose.count('24h') >= 3", facts: []string{"low_glucose: 60 @ -10m"}},
		{when: "low_glucose.count('24h') >= 3"},
		{when: "not dialysis.exists('90d')"},
		{when: "dialysis.exists('90d')", facts: []string{"dialysis: \"@ 2026-04-01\""}},
		{when: "warfarin.active()", facts: []string{"warfarin: \"@ 2023-03-01 ..\""}},
		{when: "warfarin.active()", facts: []string{"warfarin: \"@ 2023-03-01 .. -1h\""}},
		{when: "lactate.hours_since() > 6", facts: []string{"lactate: 3 @ -41h"}},
		{when: "lactate.hours_since() > 6", now: "2026-05-06T14:02:00.001Z", facts: []string{"lactate: 3 @ 2026-05-06T08:02:00Z"}},
		{when: "lactate.hours_since() > 6", now: "2026-05-06T14:02:00.001Z", facts: []string{"lactate: 3 @ 2026-05-06T07:22:00Z"}},
		{when: "lactate.hours_since() > 6", now: "2026-05-06T14:02:00.001Z", facts: []string{"lactate: 3 @ 2026-05-06T13:22:00Z"}},
		{when: "patient.age >= 65 and patient.sex == 'male'", patient: "{born: 1955-02-01, sex: female}"},
		{when: "patient.age >= 65", patient: "{born: 1955-02-01, sex: female}"},
		{when: "patient.age >= 65"},
		{when: "consciousness.last('12h') in ['130987000', '300202002', '450847001', '422768004']", facts: []string{"consciousness: snomed|300202002 @ -1h"}},
		{when: "note.last() == 'confused'", facts: []string{"note: quite well @ -1h"}},
		{when: "ventilated.last()", facts: []string{"ventilated: true @ -1h"}},
		{when: "inr.last('48h') > 5 and warfarin.active()", facts: []string{"inr: 2.1 @ 2026-04-28", "warfarin: \"@ 2023-03-01 ..\""}},
		{when: "inr.last('48h') > 5"},
		{when: "(egfr.last('365d..8d') ?? 90) >= 15"},
		{when: "(egfr.last('365d..8d') ?? 90) >= 15", facts: []string{"egfr: 80 @ 2026-01-07"}},
		{when: "urine_output.sum('6h') < 200", facts: []string{"urine_output: 90 @ -1h","urine_output: 90 @ -2h"}},
		{when: "heart_rate.mean('1h') > 100", facts: []string{"heart_rate: 90 @ -10m","heart_rate: 97 @ -20m","heart_rate: 91 @ -20m"}},
		{when: "base_excess.delta('24h') <= -2", facts: []string{"base_excess: -1 @ -5h","base_excess: -6.5 @ -20m"}},
		{when: "base_excess.delta('24h') <= -2", facts: []string{"base_excess: -1 @ -5h","base_excess: 1 @ -20m"}},
		{when: "base_excess.delta('24h') <= -2", facts: []string{"base_excess: -1 @ -5h"}},
		{when: "troponin.last_time() > ecg.last_time()", facts: []string{"troponin: 1 @ -5h", "ecg: \"@ -6h\""}},
		{when: "(resp_rate.last('4h') >= 25 ? 3 : resp_rate.last('4h') >= 21 ? 2 : 0) + (spo2.last('4h') <= 91 ? 3 : 0) + ((heart_rate.last('4h') ?? 80) > 130 ? 2 : 0) >= 5",
			facts: []string{"resp_rate: 22 @ -5m", "spo2: 90 @ -6m"}},
		{when: "creatinine.last() * 2 + potassium.last() > 5", facts: []string{"creatinine: 1.2 @ -5h", "potassium: 4 @ -6h"}},
		{when: "lactate.sum('24h') > 1", facts: []string{"lactate: <1 @ -5h"}},
		{when: "(nsaid.active() or nsaid.exists('48h')) and not dialysis.exists('90d') and creatinine.last('7d') >= 1.5 * creatinine.min('7d') and potassium.last() > 3 and patient.age > 60",
			patient: "{born: 1955-02-01, sex: female}", facts: []string{"creatinine: 1.2 @ 2026-05-03", "creatinine: 1.9 @ -82m", "potassium: 4 @ -90m", "nsaid: \"@ -30h ..\""}},
	} {
		e := s.explained(t)
		fmt.Printf("%-50.90s\n     %s\n", s.when, Sentence(e, nil))
	}
}
