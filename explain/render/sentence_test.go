package render

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/record/recordtest"
	"github.com/vigil-cds/vigil/internal/clinical"
)

// The patient is asked about on 6 May 2026 at 14:02.
var sentences = []struct {
	situation
	want string
}{
	// A value and a threshold.
	{situation{when: "potassium.last('24h') >= 6", facts: []string{"potassium: 5.2 @ -82m"}},
		"Not true: potassium 5.2 mmol/L (12:40) is below 6, by 0.8."},
	{situation{when: "potassium.last('24h') >= 6", facts: []string{"potassium: 6 @ -82m"}},
		"True: potassium 6 mmol/L (12:40) is at least 6."},
	{situation{when: "potassium.last('24h') > 6", facts: []string{"potassium: 6 @ -82m"}},
		"Not true: potassium 6 mmol/L (12:40) is exactly 6, not above it."},
	{situation{when: "6 <= potassium.last('24h')", facts: []string{"potassium: 6.4 @ -82m"}},
		"True: potassium 6.4 mmol/L (12:40) is at least 6."},
	{situation{when: "potassium.last('24h') != 4", facts: []string{"potassium: 4 @ -82m"}},
		"Not true: potassium 4 mmol/L (12:40) is exactly 4."},
	{situation{when: "base_excess.last('24h') < -5", facts: []string{"base_excess: -2.5 @ -82m"}},
		"Not true: base excess -2.5 mmol/L (12:40) is above -5, by 2.5."},
	{situation{when: "spo2.last('12h') <= 91 and systolic.last('12h') <= 90", facts: []string{"spo2: 90 @ -1h", "systolic: 88 @ -2h"}},
		"True: SpO2 90% (13:02) is at most 91, and systolic 88 mmHg (12:02) is at most 90."},
	{situation{when: "creatinine.last('7d') > 2", facts: []string{"creatinine: 16.2895 mg/L @ -82m"}},
		"Not true: creatinine 1.63 mg/dL (12:40) is below 2, by 0.371."},

	// Results with a comparator.
	{situation{when: "potassium.last('24h') > 6", facts: []string{"potassium: <5 @ -82m"}},
		"Not true: potassium <5 mmol/L (12:40) is below 6."},
	{situation{when: "potassium.last('24h') > 4", facts: []string{"potassium: <5 @ -82m"}},
		"Not known: potassium <5 mmol/L (12:40) does not tell whether it is above 4."},
	{situation{when: "lactate.sum('24h') > 1", facts: []string{"lactate: <1 @ -5h"}},
		"Not known: the total lactate in 24 hours cannot be worked out from a result such as <1."},

	// Aggregates.
	{situation{when: "base_excess.min('48h') <= -6", facts: []string{"base_excess: -6.5 @ -30h", "base_excess: 1 @ -1h"}},
		"True: the lowest base excess in 48 hours is -6.5 mmol/L (5 May 08:02), at most -6."},
	{situation{when: "heart_rate.max('24h') >= 130", facts: []string{"heart_rate: 124 @ -3h", "heart_rate: 96 @ -1h"}},
		"Not true: the highest heart rate in 24 hours is 124/min (11:02), below 130 by 6."},
	{situation{when: "heart_rate.mean('1h') > 100", facts: []string{"heart_rate: 90 @ -10m", "heart_rate: 97 @ -20m", "heart_rate: 91 @ -20m"}},
		"Not true: the mean heart rate in 1 hour is 92.7/min, below 100 by 7.33."},
	{situation{when: "urine_output.sum('6h') < 200", facts: []string{"urine_output: 90 @ -1h", "urine_output: 90 @ -2h"}},
		"True: the total urine output in 6 hours is 180 mL, below 200."},
	{situation{when: "creatinine.first('7d') > 1", facts: []string{"creatinine: 1.2 @ 2026-05-03", "creatinine: 1.9 @ -82m"}},
		"True: the first creatinine in 7 days is 1.2 mg/dL (3 May), above 1."},

	{situation{when: "heart_rate.median('24h') > 100", facts: []string{"heart_rate: 90 @ -10m", "heart_rate: 97 @ -20m", "heart_rate: 91 @ -30m"}},
		"Not true: the median heart rate in 24 hours is 91/min, below 100 by 9."},
	{situation{when: "heart_rate.stddev('24h') > 1", facts: []string{"heart_rate: 90 @ -10m", "heart_rate: 97 @ -20m", "heart_rate: 91 @ -30m"}},
		"True: the standard deviation of heart rate in 24 hours is 3.79/min, above 1."},
	{situation{when: "heart_rate.stddev('24h') > 1", facts: []string{"heart_rate: 90 @ -10m"}},
		"Not known: only 1 heart rate result in 24 hours, and a standard deviation takes two."},
	{situation{when: "creatinine.rise('48h') >= 0.3", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"True: the greatest rise of creatinine in 48 hours is 0.4 mg/dL, from 1.1 (4 May 17:02) to 1.5 (12:40), at least 0.3."},
	{situation{when: "creatinine.rise('48h') >= 0.5", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"Not true: the greatest rise of creatinine in 48 hours is 0.4 mg/dL, from 1.1 (4 May 17:02) to 1.5 (12:40), below 0.5 by 0.1."},
	{situation{when: "creatinine.rise('48h') >= 0.3", facts: []string{"creatinine: 1.5 @ -45h", "creatinine: 1.1 @ -82m"}},
		"Not true: creatinine has not risen in 48 hours."},
	{situation{when: "creatinine.rise('48h') >= 0.3", facts: []string{"creatinine: 1.1 @ -45h"}},
		"Not known: only 1 creatinine result in 48 hours, and a rise takes two."},
	{situation{when: "creatinine.rise('48h') >= 0.3", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: <0.2 @ -4h"}},
		"Not known: the greatest rise of creatinine in 48 hours cannot be worked out from a result such as <0.2."},
	{situation{when: "creatinine.fall('48h') >= 0.3", facts: []string{"creatinine: 1.5 @ -45h", "creatinine: 1.1 @ -82m"}},
		"True: the greatest fall of creatinine in 48 hours is 0.4 mg/dL, from 1.5 (4 May 17:02) to 1.1 (12:40), at least 0.3."},
	{situation{when: "creatinine.fall('48h') >= 0.3", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"Not true: creatinine has not fallen in 48 hours."},
	{situation{when: "creatinine.rise('48h') > creatinine.fall('48h')", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"True: the greatest rise of creatinine in 48 hours of 0.4 mg/dL is above the greatest fall in 48 hours, 0, by 0.4."},
	{situation{when: "creatinine.slope('7d') > 0.1", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"True: creatinine has risen by 0.22 mg/dL a day in 7 days."},
	{situation{when: "creatinine.slope('7d') < -0.1", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"Not true: creatinine has risen by 0.22 mg/dL a day in 7 days, not fallen by more than 0.1."},
	{situation{when: "creatinine.slope('7d') < -0.1", facts: []string{"creatinine: 1.5 @ -45h", "creatinine: 1.1 @ -82m"}},
		"True: creatinine has fallen by 0.22 mg/dL a day in 7 days."},
	{situation{when: "creatinine.slope('7d') > 0.1", facts: []string{"creatinine: 1.1 @ -45h"}},
		"Not known: only 1 creatinine result in 7 days, and a trend takes two."},
	{situation{when: "creatinine.slope('7d') > 0.1", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -45h"}},
		"Not known: the 2 creatinine results in 7 days are of one instant, and a trend takes two."},
	{situation{when: "creatinine.ewma('12h', '7d') > 1.2", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"True: the weighted mean creatinine in 7 days (half-life 12 hours) is 1.47 mg/dL, above 1.2."},
	{situation{when: "creatinine.nth(2, '7d') > 1.2", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"True: the second creatinine in 7 days is 1.5 mg/dL (12:40), above 1.2."},
	{situation{when: "creatinine.nth(-2, '7d') > 1.2", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"Not true: the second last creatinine in 7 days is 1.1 mg/dL (4 May 17:02), below 1.2 by 0.1."},
	{situation{when: "creatinine.nth(3, '7d') > 1.2", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"Not known: only 2 creatinine results in 7 days, and the third is asked for."},
	{situation{when: "creatinine.last() > 1.2 * creatinine.nth(-2)", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"True: creatinine 1.5 mg/dL (12:40) is 1.4 times the second last on record, 1.1 (4 May 17:02)."},
	{situation{when: "creatinine.distinct('7d') >= 3", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"Not true: 2 different creatinine values in 7 days, fewer than 3."},
	{situation{when: "creatinine.distinct('7d', value > 1.2) >= 3", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"Not true: 1 creatinine value in 7 days with value > 1.2, fewer than 3."},
	{situation{when: "creatinine.count('48h', value > 1.2) >= 1", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"True: 1 creatinine result in 48 hours with value > 1.2, at least 1."},
	{situation{when: "creatinine.last('48h', value < 1.2) > 1", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"True: the last creatinine in 48 hours with value < 1.2 of 1.1 mg/dL (4 May 17:02) is above 1."},
	{situation{when: "creatinine.max(value < 1.2) > 2", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"Not true: the highest creatinine on record with value < 1.2 is 1.1 mg/dL (4 May 17:02), below 2 by 0.9."},
	{situation{when: "creatinine.exists('48h', value > 2)", facts: []string{"creatinine: 1.1 @ -45h"}},
		"Not true: no creatinine in 48 hours with value > 2."},
	{situation{when: "warfarin.active(status == 'active')", facts: []string{"warfarin: active @ 2023-03-01 .."}},
		"True: warfarin with status == 'active' is active (since 1 March 2023)."},
	{situation{when: "dialysis.distinct() > 1", facts: []string{`dialysis: "@ 2025-12-01"`}},
		"Not true: 1 kind of dialysis on record, not more than 1."},
	{situation{when: "creatinine.max_gap('7d') > 24", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"True: the longest time between two creatinine results in 7 days is 43 hours (from 4 May 17:02 to 12:40), more than 24."},
	{situation{when: "creatinine.max_gap('7d') > 43.5", facts: []string{"creatinine: 1.1 @ -45h", "creatinine: 1.5 @ -82m"}},
		"True: the longest time between two creatinine results in 7 days is 43 hours 38 minutes (from 4 May 17:02 to 12:40), more than 43.5."},
	{situation{when: "creatinine.max_gap('7d') > 24", facts: []string{"creatinine: 1.1 @ -45h"}},
		"Not known: only 1 creatinine result in 7 days, and a gap lies between two."},
	{situation{when: "potassium.duration_above(6, '24h') > 4", facts: []string{"potassium: 6.2 @ -10h", "potassium: 5 @ -3h"}},
		"True: potassium was above 6 mmol/L for 7 hours in 24 hours, more than 4."},
	{situation{when: "potassium.duration_above(6, '24h', 'carry 2h') > 4", facts: []string{"potassium: 6.2 @ -10h", "potassium: 5 @ -3h"}},
		"Not true: potassium was above 6 mmol/L for 2 hours in 24 hours, a value counting for at most 2 hours, less than 4."},
	{situation{when: "potassium.duration_below(3, '24h') > 0.25", facts: []string{"potassium: 6.2 @ -10h", "potassium: 5 @ -3h"}},
		"Not true: potassium was at no time known to be below 3 mmol/L in 24 hours."},

	// Ratios: never rounded onto the threshold.
	{situation{when: "creatinine.last('7d') >= 1.5 * creatinine.min('7d')", facts: []string{"creatinine: 1.2 @ 2026-05-03", "creatinine: 1.9 @ -82m"}},
		"True: creatinine 1.9 mg/dL (12:40) is 1.6 times the lowest in 7 days, 1.2 (3 May)."},
	{situation{when: "creatinine.last('7d') >= 1.5 * creatinine.min('7d')", facts: []string{"creatinine: 1.2 @ 2026-05-03", "creatinine: 1.797 @ -82m"}},
		"Not true: creatinine 1.797 mg/dL (12:40) is 1.498 times the lowest in 7 days, 1.2 (3 May), below 1.5 times."},
	{situation{when: "creatinine.last('7d') >= creatinine.min('7d') * 1.5", facts: []string{"creatinine: 1.2 @ 2026-05-03"}},
		"Not true: creatinine 1.2 mg/dL (3 May) is itself the lowest in 7 days."},
	{situation{when: "creatinine.last('48h') / creatinine.last('365d..8d') > 2", facts: []string{"creatinine: 0.8 @ 2025-11-20", "creatinine: 2 @ -82m"}},
		"True: creatinine 2 mg/dL (12:40) is 2.5 times the last between 365 and 8 days ago, 0.8 (20 November 2025)."},
	{situation{when: "pao2.last('12h') / fio2.last('12h') <= 300", facts: []string{"pao2: 80 @ -10m", "fio2: 0.4 @ -20m"}},
		"True: PaO2 80 mmHg (13:52) divided by FiO2 0.4 (13:42) is 200, at most 300."},
	{situation{when: "heart_rate.last('1h') > systolic.last('1h')", facts: []string{"heart_rate: 118 @ -10m", "systolic: 95 @ -10m"}},
		"True: heart rate 118/min (13:52) is above systolic 95 mmHg (13:52), by 23."},
	{situation{when: "base_excess.last('1h') < 2 * base_excess.max('7d')", facts: []string{"base_excess: -6 @ -10m", "base_excess: -2 @ 2026-05-02"}},
		"True: base excess -6 mmol/L (13:52) is below 2 times the highest in 7 days, -2 (2 May), by 2."},

	// Differences and changes.
	{situation{when: "creatinine.last('48h') - creatinine.min('48h') >= 0.3", facts: []string{"creatinine: 16.2895 mg/L @ -45h", "creatinine: 2.0 @ -82m"}},
		"True: creatinine 2 mg/dL (12:40) has risen by 0.371 from the lowest in 48 hours, 1.63 (4 May 17:02)."},
	{situation{when: "creatinine.last('48h') - creatinine.min('48h') >= 0.3", facts: []string{"creatinine: 1.5 @ -45h", "creatinine: 1.7 @ -82m"}},
		"Not true: creatinine 1.7 mg/dL (12:40) has risen by 0.2 from the lowest in 48 hours, 1.5 (4 May 17:02), not by 0.3 or more."},
	{situation{when: "creatinine.max('48h') - creatinine.last('48h') >= 0.3", facts: []string{"creatinine: 1.5 @ -45h", "creatinine: 1.1 @ -82m"}},
		"True: creatinine 1.1 mg/dL (12:40) has fallen by 0.4 from the highest in 48 hours, 1.5 (4 May 17:02)."},
	{situation{when: "creatinine.max('48h') - creatinine.min('48h') > 0.5", facts: []string{"creatinine: 1.5 @ -45h", "creatinine: 1.1 @ -82m"}},
		"Not true: the highest creatinine in 48 hours of 1.5 mg/dL (4 May 17:02) is 0.4 above the lowest in 48 hours, 1.1 (12:40), not by more than 0.5."},
	{situation{when: "systolic.last('1h') - diastolic.last('1h') < 25", facts: []string{"systolic: 90 @ -10m", "diastolic: 70 @ -10m"}},
		"True: systolic 90 mmHg (13:52) is 20 above diastolic 70 mmHg (13:52), not by 25 or more."},
	{situation{when: "base_excess.delta('24h') <= -2", facts: []string{"base_excess: -1 @ -5h", "base_excess: -6.5 @ -20m"}},
		"True: base excess has fallen by 5.5 mmol/L in 24 hours, from -1 (09:02) to -6.5 (13:42)."},
	{situation{when: "base_excess.delta('24h') <= -2", facts: []string{"base_excess: -1 @ -5h", "base_excess: 1 @ -20m"}},
		"Not true: base excess has risen by 2 mmol/L in 24 hours, from -1 (09:02) to 1 (13:42), not fallen by 2 or more."},
	{situation{when: "base_excess.delta('24h') <= -2", facts: []string{"base_excess: -1 @ -5h"}},
		"Not known: only 1 base excess result in 24 hours, and a change takes two."},

	// Counts, and what is there or not.
	{situation{when: "low_glucose.count('24h') >= 3", facts: []string{"low_glucose: 60 @ -10m", "low_glucose: 61 @ -20m", "low_glucose: 61 @ -30m"}},
		"True: 3 low glucose results in 24 hours, at least 3."},
	{situation{when: "low_glucose.count('24h') >= 3", facts: []string{"low_glucose: 60 @ -10m"}},
		"Not true: 1 low glucose result in 24 hours, fewer than 3."},
	{situation{when: "dialysis.count() == 0", facts: []string{`dialysis: "@ 2026-04-01"`}},
		"Not true: 1 dialysis record on record, more than 0."},
	{situation{when: "not dialysis.exists('90d')"},
		"True: no dialysis in 90 days."},
	{situation{when: "not dialysis.exists('90d')", facts: []string{`dialysis: "@ 2025-12-01"`}},
		"True: no dialysis in 90 days; the last was on 1 December 2025."},
	{situation{when: "dialysis.exists('1y6mo')", facts: []string{`dialysis: "@ 2026-04-01"`}},
		"True: dialysis in 1 year 6 months (1 April)."},
	{situation{when: "warfarin.active()", facts: []string{`warfarin: "@ 2023-03-01 .."`}},
		"True: warfarin is active (since 1 March 2023)."},
	{situation{when: "warfarin.active()", facts: []string{`warfarin: "@ 2023-03-01 .. -1h"`}},
		"Not true: warfarin is not active; it ended at 13:02."},
	{situation{when: "ventilated.last()", facts: []string{"ventilated: true @ -1h"}},
		"True: ventilated is true (13:02)."},

	// Time.
	{situation{when: "lactate.hours_since() > 6", facts: []string{"lactate: 3 @ -41h"}},
		"True: 41 hours since the last lactate (4 May 21:02), more than 6."},
	{situation{when: "lactate.hours_since() > 6", now: "2026-05-06T14:02:00.001Z", facts: []string{"lactate: 3 @ 2026-05-06T08:02:00Z"}},
		"True: just over 6 hours since the last lactate (08:02)."},
	{situation{when: "lactate.hours_since() > 6", facts: []string{"lactate: 3 @ 2026-05-06T07:22:00Z"}},
		"True: 6 hours 40 minutes since the last lactate (07:22), more than 6."},
	{situation{when: "lactate.hours_since() > 6", facts: []string{"lactate: 3 @ 2026-05-06T13:22:00Z"}},
		"Not true: 40 minutes since the last lactate (13:22), less than 6."},
	{situation{when: "ecg.days_since() >= 30", facts: []string{`ecg: "@ 2026-03-01"`}},
		"True: 66 days since the last ECG (1 March), at least 30."},
	{situation{when: "troponin.last_time() > ecg.last_time()", facts: []string{"troponin: 1 @ -5h", `ecg: "@ -6h"`}},
		"True: the last troponin (09:02) is after the last ECG (08:02)."},

	// The person.
	{situation{when: "patient.age >= 65 and patient.sex == 'male'", patient: "{born: 1955-02-01, sex: female}"},
		"Not true: the patient is female, not male."},
	{situation{when: "patient.age >= 65", patient: "{born: 1955-02-01}"},
		"True: the patient is 71 years old, at least 65."},
	{situation{when: "patient.age_months < 12", patient: "{born: 2026-04-01}"},
		"True: the patient is 1 month old, below 12."},
	{situation{when: "patient.age >= 65"},
		"Not known: the age is not known."},
	{situation{when: "not patient.deceased", patient: "{born: 1955-02-01}"},
		"True: the patient is not known to have died."},

	// Texts and codes.
	{situation{when: "consciousness.last('12h') in ['130987000', '300202002', '450847001', '422768004']", facts: []string{"consciousness: snomed|300202002 @ -1h"}},
		"True: consciousness 300202002 (13:02) is one of the 4 listed."},
	{situation{when: "consciousness.last('12h') in ['130987000', '300202002']", facts: []string{"consciousness: snomed|248234008 @ -1h"}},
		"Not true: consciousness 248234008 (13:02) is not 130987000 or 300202002."},
	{situation{when: "note.last() == 'confused'", facts: []string{"note: quite well @ -1h"}},
		"Not true: note is quite well (13:02), not confused."},

	// Defaults.
	{situation{when: "(egfr.last('365d..8d') ?? 90) >= 15"},
		"True: no eGFR between 365 and 8 days ago, taken as 90, which is at least 15."},
	{situation{when: "(egfr.last('365d..8d') ?? 90) >= 15", facts: []string{"egfr: 80 @ 2026-01-07"}},
		"True: eGFR 80 mL/min/1.73 m² (7 January) is at least 15."},

	// What is missing.
	{situation{when: "inr.last('48h') > 5 and warfarin.active()", facts: []string{"inr: 2.1 @ 2026-04-28", `warfarin: "@ 2023-03-01 .."`}},
		"Not known: no INR in 48 hours; the last was 2.1 (28 April)."},
	{situation{when: "inr.last('48h') > 5 and potassium.last('24h') > 6", facts: []string{"inr: 2.1 @ 2026-04-28"}},
		"Not known: no INR in 48 hours, the last was 2.1 (28 April), and no potassium in 24 hours."},

	// Many conditions: those that matter most, then how many more.
	{situation{when: "(nsaid.active() or nsaid.exists('48h')) and not dialysis.exists('90d') and creatinine.last('7d') >= 1.5 * creatinine.min('7d') and potassium.last() > 3 and patient.age > 60",
		patient: "{born: 1955-02-01, sex: female}",
		facts:   []string{"creatinine: 1.2 @ 2026-05-03", "creatinine: 1.9 @ -82m", "potassium: 4 @ -90m", `nsaid: "@ -30h .."`}},
		"True: creatinine 1.9 mg/dL (12:40) is 1.6 times the lowest in 7 days, 1.2 (3 May); potassium 4 mmol/L (12:32) is above 3; NSAID is active (since 5 May 08:02); and 2 more."},
	{situation{when: "potassium.last('24h') > 6 or lactate.last('24h') > 4", facts: []string{"potassium: 6.4 @ -1h", "lactate: 5 @ -1h"}},
		"True: lactate 5 mmol/L (13:02) is above 4."}, // the one that is marked as sufficient
	{situation{when: "(resp_rate.last('4h') >= 25 ? 3 : resp_rate.last('4h') >= 21 ? 2 : 0) + (spo2.last('4h') <= 91 ? 3 : 0) + ((heart_rate.last('4h') ?? 80) > 130 ? 2 : 0) >= 5",
		facts: []string{"resp_rate: 22 @ -5m", "spo2: 90 @ -6m"}},
		"True: the points add up to 5, at least 5 (3 for SpO2 90% (13:56) and 2 for resp rate 22/min (13:57))."},
	{situation{when: "creatinine.last() * 2 + potassium.last() > 5", facts: []string{"creatinine: 1.2 @ -5h", "potassium: 4 @ -6h"}},
		"True: the value worked out from creatinine 1.2 mg/dL (09:02) and potassium 4 mmol/L (08:02) is 6.4, above 5."},
	{situation{when: "true"},
		"True: the condition asks nothing of the patient."},

	{situation{when: "ventilated.last() == ventilated.first()", facts: []string{"ventilated: true @ -3h", "ventilated: false @ -1h"}},
		"Not true: ventilated false (13:02) is not the same as the first ventilated on record of true (11:02)."},
	{situation{when: "(heart_rate.last('1h') > 100 ? lactate.last('6h') > 2 : lactate.last('6h') > 4)", facts: []string{"heart_rate: 118 @ -10m", "lactate: 3 @ -1h"}},
		"True: heart rate 118/min (13:52) is above 100, and lactate 3 mmol/L (13:02) is above 2."},
	{situation{when: "lactate.last('6h') / (potassium.last('6h') + base_excess.last('6h')) > 1", facts: []string{"lactate: 3 @ -1h", "potassium: 4 @ -1h", "base_excess: -2 @ -1h"}},
		"True: the value worked out from lactate 3 mmol/L (13:02), potassium 4 mmol/L (13:02) and base excess -2 mmol/L (13:02) is 1.5, above 1."},
	{situation{when: "(warfarin.count('7d') > 0 ? 2 : 0) + (not ecg.exists('7d') ? 1 : 0) > 3", facts: []string{`warfarin: "@ 2026-05-04"`}},
		"Not true: the points add up to 3, exactly 3, not above it (2 for 1 warfarin record in 7 days and 1 for no ECG in 7 days)."},
	{situation{when: "systolic.last('1h') - diastolic.last('1h') == 20", facts: []string{"systolic: 90 @ -10m", "diastolic: 70 @ -10m"}},
		"True: systolic 90 mmHg (13:52) is 20 above diastolic 70 mmHg (13:52), exactly 20."},
	{situation{when: "creatinine.last('48h') - creatinine.mean('7d') > 0.3", facts: []string{"creatinine: 1.4 @ -50h", "creatinine: 1 @ -82m"}},
		"Not true: creatinine 1 mg/dL (12:40) has fallen by 0.2 from the mean in 7 days, 1.2, not risen by more than 0.3."},
	{situation{when: "creatinine.last('48h') - creatinine.last('365d..8d') > 0.3", facts: []string{"creatinine: 1.4 @ 2026-01-04", "creatinine: 1.4 @ -82m"}},
		"Not true: creatinine 1.4 mg/dL (12:40) has not changed from the last between 365 and 8 days ago, 1.4 (4 January), not risen by more than 0.3."},
	{situation{when: "lactate.hours_since() >= 1.5", facts: []string{"lactate: 3 @ -90m"}},
		"True: 1 hour 30 minutes since the last lactate (12:32), at least 1.5."},
	{situation{when: "patient.deceased or patient.sex in ['male', 'other']", patient: "{born: 1955-02-01, sex: male}"},
		"True: the patient is male, which is male or other."},
	{situation{when: "(patient.age ?? 50) >= 40"},
		"True: the age is not known, taken as 50, which is at least 40."},

	// Transitions.
	{situation{kind: record.Fired, cause: record.Cause{Kind: record.CauseFact, Facts: []record.Fact{{Partition: partition, Offset: 1}}},
		when: "not dialysis.exists('90d') and potassium.last('24h') > 6", facts: []string{"potassium: 6.4 @ -82m"}},
		"Fired 14:02 because potassium 6.4 mmol/L (12:40) is above 6, and there was no dialysis in 90 days."},
	{situation{kind: record.Fired, cause: record.Cause{Kind: record.CauseFact, Facts: []record.Fact{{Partition: partition, Offset: 2}}},
		when: "potassium.last('24h') > 6 or lactate.last('24h') > 4", facts: []string{"potassium: 6.4 @ -1h", "lactate: 5 @ -1h"}},
		"Fired 14:02 because lactate 5 mmol/L (13:02) is above 4."},
	{situation{kind: record.Fired, cause: record.Cause{Kind: record.CauseTime},
		when: "lactate.last('24h') > 2 and lactate.hours_since('24h') >= 6", facts: []string{"lactate: 3.1 @ -6h"}},
		"Fired 14:02 because time passed: 6 hours since the last lactate (08:02), at least 6, and lactate 3.1 mmol/L (08:02) is above 2."},
	{situation{kind: record.Fired, cause: record.Cause{Kind: record.CauseActivation}, when: "warfarin.active()", facts: []string{`warfarin: "@ 2026-04-01 .."`}},
		"Fired 14:02 because the rules changed: warfarin is active (since 1 April)."},
	{situation{kind: record.Cleared, cause: record.Cause{Kind: record.CauseTime}, when: "potassium.last('24h') > 6", facts: []string{"potassium: 6.4 @ -25h"}},
		"Cleared 14:02 because time passed: no potassium in 24 hours; the last was 6.4 mmol/L (5 May 13:02)."},
	{situation{kind: record.Cleared, cause: record.Cause{Kind: record.CauseFact, Facts: []record.Fact{{}}}, when: "potassium.last('24h') > 6", facts: []string{"potassium: 4.1 @ -1h"}},
		"Cleared 14:02 because potassium 4.1 mmol/L (13:02) is below 6, by 1.9."},
	{situation{kind: record.Cleared, cause: record.Cause{Kind: record.CauseFact, Gone: []record.Fact{{}}}, when: "potassium.last('24h') > 6"},
		"Cleared 14:02 because a record was withdrawn: no potassium in 24 hours."},
	{situation{kind: record.Cleared, cause: record.Cause{Kind: record.CauseFact, Gone: []record.Fact{{}}, Facts: []record.Fact{{}}}, when: "potassium.last('24h') > 6", facts: []string{"potassium: 4.1 @ -1h"}},
		"Cleared 14:02 because a record was updated: potassium 4.1 mmol/L (13:02) is below 6, by 1.9."},
}

func TestASentenceSaysWhy(t *testing.T) {
	for _, c := range sentences {
		t.Run(c.when, func(t *testing.T) {
			require.Equal(t, c.want, Sentence(c.explained(t), time.UTC))
		})
	}
}

func TestASentenceSaysWhatWouldFireTheRule(t *testing.T) {
	e := situation{when: "potassium.last('24h') >= 6 and not dialysis.exists('90d')", facts: []string{"potassium: 6.4 @ -82m", `dialysis: "@ 2026-04-01"`}}.explained(t)
	e.Miss = &record.Miss{Blockers: []record.Blocker{{Source: "dialysis.exists('90d')"}},
		Change: &record.Change{Kind: record.Remove, Input: "dialysis", Text: "without the dialysis of 1 April"}}
	require.Equal(t, "Not true: dialysis in 90 days (1 April); without the dialysis of 1 April it would fire.", Sentence(e, nil))

	require.Equal(t, "Not true: potassium 5.2 mmol/L (12:40) is below 6, by 0.8; a potassium of 6 mmol/L or more now would fire it.",
		Sentence(recordtest.False(), nil))
}

func TestWhereItIsKnownWhatKeptARuleFromFiringOnlyThatIsSaid(t *testing.T) {
	e := situation{when: "resp_rate.last('4h') <= 8 or resp_rate.last('4h') >= 25", facts: []string{"resp_rate: 9 @ -1h"}}.explained(t)
	require.Equal(t, "Not true: resp rate 9/min (13:02) is above 8, by 1, and resp rate 9/min (13:02) is below 25, by 16.", Sentence(e, nil))
	e.Miss = &record.Miss{Blockers: []record.Blocker{{Source: "resp_rate.last('4h') <= 8"}}}
	require.Equal(t, "Not true: resp rate 9/min (13:02) is above 8, by 1.", Sentence(e, nil))
}

func TestWhatIsMissingIsSaidInTheExplanationsOwnWords(t *testing.T) {
	e := situation{when: "inr.last('48h') > 5"}.explained(t)
	e.Missing = []record.Missing{{Term: 0, Reason: "no inr yet; the first is dated later"}}
	require.Equal(t, "Not known: no INR yet; the first is dated later.", Sentence(e, nil))
}

func TestASentenceCountsTheConditionsOfWhichSomeMustHold(t *testing.T) {
	quorum := func(truths ...record.Truth) string {
		e := situation{when: "potassium.last('24h') >= 6", facts: []string{"potassium: 5.2 @ -82m"}}.explained(t)
		low, high := e.Tree, situation{when: "potassium.last('24h') >= 5", facts: []string{"potassium: 5.2 @ -82m"}}.explained(t).Tree
		root := record.Node{Op: "at_least", N: 2, Boolean: true, Truth: truths[0], Term: -1, Decides: true}
		for _, truth := range truths[1:] {
			kid := *low
			if truth == record.True {
				kid = *high
			}
			kid.Decides = truth == root.Truth
			root.Kids = append(root.Kids, kid)
		}
		e.Tree, e.Truth = &root, root.Truth
		return Sentence(e, nil)
	}
	require.Equal(t, "True: 2 of 3 hold: potassium 5.2 mmol/L (12:40) is at least 5.", quorum(record.True, record.True, record.True, record.False))
	require.Equal(t, "Not true: 1 of 3 holds where 2 must: potassium 5.2 mmol/L (12:40) is below 6, by 0.8.",
		quorum(record.False, record.True, record.False, record.False))
	require.Equal(t, "Not true: none of 2 holds where 2 must: potassium 5.2 mmol/L (12:40) is below 6, by 0.8.",
		quorum(record.False, record.False, record.False))
}

func TestAnEpisodeThatEndsOnAnotherDayNamesTheDay(t *testing.T) {
	e := situation{kind: record.Cleared, cause: record.Cause{Kind: record.CauseFact, Facts: []record.Fact{{}}}, when: "potassium.last('24h') > 6", facts: []string{"potassium: 4.1 @ -1h"}}.explained(t)
	*e.Since -= 86_400_000
	require.Equal(t, "Cleared 6 May 14:02 because potassium 4.1 mmol/L (13:02) is below 6, by 1.9.", Sentence(e, nil))
}

func TestTimesAreInTheReadersZoneAndDatesInTheirOwn(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	require.NoError(t, err)
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	require.NoError(t, err)
	e := recordtest.Example()
	const rest = "; eGFR >90 mL/min/1.73 m² (January) is at least 15; and there was no dialysis in 90 days."
	inLondon := "Fired 14:02 because creatinine 1.9 mg/dL (12:40) is 1.6 times the lowest in 7 days, 1.2 (3 May)" + rest
	require.Equal(t, inLondon, Sentence(e, nil), "the rule set's own zone")
	require.Equal(t, inLondon, Sentence(e, london))
	require.Equal(t, "Fired 22:02 because creatinine 1.9 mg/dL (20:40) is 1.6 times the lowest in 7 days, 1.2 (3 May)"+rest, Sentence(e, tokyo))
	require.Equal(t, "Fired 13:02 because creatinine 1.9 mg/dL (11:40) is 1.6 times the lowest in 7 days, 1.2 (3 May)"+rest, Sentence(e, time.UTC),
		"3 May began in London on 2 May by UTC")
	e.RuleSet.Zone = "Nowhere/Never"
	require.Contains(t, Sentence(e, nil), "Fired 13:02", "UTC where the zone is not known")
}

func TestATimeIsSaidNoFinerThanItWasStated(t *testing.T) {
	at := record.Instant(clinical.At(time.Date(2026, 5, 6, 14, 2, 0, 0, time.UTC)))
	c := calendarOf(&record.Explanation{At: at, RuleSet: record.RuleSet{Zone: "UTC"}}, nil)
	for _, x := range []struct{ time, precision, said, column string }{
		{"2026-05-06T12:40:07.250Z", "millisecond", "12:40", "2026-05-06 12:40:07.250"},
		{"2026-05-06T12:40:07Z", "second", "12:40", "2026-05-06 12:40:07"},
		{"2026-05-05T07:15:00Z", "minute", "5 May 07:15", "2026-05-05 07:15"},
		{"2026-05-01T07:15:00Z", "minute", "1 May", "2026-05-01 07:15"},
		{"2025-05-05T07:15:00Z", "minute", "5 May 2025", "2025-05-05 07:15"},
		{"2026-05-06T00:00:00Z", "day", "6 May", "2026-05-06"},
		{"2023-05-06T00:00:00Z", "day", "6 May 2023", "2023-05-06"},
		{"2026-03-01T00:00:00Z", "month", "March", "2026-03"},
		{"2023-03-01T00:00:00Z", "month", "March 2023", "2023-03"},
		{"2026-01-01T00:00:00Z", "year", "2026", "2026"},
	} {
		stated, err := time.Parse(time.RFC3339, x.time)
		require.NoError(t, err)
		i := record.Instant(clinical.At(stated))
		require.Equal(t, x.said, c.said(i, x.precision))
		require.Equal(t, x.column, c.column(i, x.precision))
	}
	require.Equal(t, "ongoing", c.column(record.Ongoing, "minute"))
	require.Equal(t, "6 May 2026 14:02 UTC", c.inFull(at))
}
