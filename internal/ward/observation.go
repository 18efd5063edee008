package ward

import (
	"math"
	"time"
)

var (
	vitalSigns = []concept{term("observation-category", "vital-signs")}
	laboratory = []concept{term("observation-category", "laboratory")}
	survey     = []concept{term("observation-category", "survey")}

	alert     = snomed("248234008", "Mentally alert")
	confused  = snomed("130987000", "Acute confusion")
	toVoice   = snomed("300202002", "Responds to voice")
	acvpu     = snomed("1104441000000107", "ACVPU (Alert Confusion Voice Pain Unresponsive) scale score")
	coma      = loinc("9269-2", "Glasgow coma score total")
	oxygen    = loinc("3151-8", "Inhaled oxygen flow rate")
	pressure  = loinc("85354-9", "Blood pressure panel with all children optional")
	filtrate  = loinc("98979-8", "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, Plasma or Blood by Creatinine-based formula (CKD-EPI 2021)")
	culture   = loinc("600-7", "Bacteria identified in Blood by Culture")
	noGrowth  = snomed("264868006", "No growth")
	coliform  = snomed("112283007", "Escherichia coli")
	fingerGlu = loinc("41653-7", "Glucose [Mass/volume] in Capillary blood by Glucometer")
	hba1c     = loinc("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood")
)

// quantityOf measures a sign at t.
func (p *patient) quantityOf(s sign, t time.Time) quantity {
	m := &measures[s]
	return quantity{m.hold(p.value(s, t)), m.unit, systemUCUM, m.ucum}
}

// observation begins one, made at t.
func (p *patient) observation(category []concept, t time.Time, codes ...coding) *observationResource {
	e := p.encounter()
	return &observationResource{
		header:            p.head("Observation"),
		Status:            "final",
		Category:          category,
		Code:              of(codes...),
		Subject:           p.subject(),
		Encounter:         &e,
		EffectiveDateTime: stamp(t),
	}
}

// vitals takes a set of vital signs now, sends it when it is charted, and plans the next: hourly for
// those who are well, every quarter of an hour for the sickest.
func (w *ward) vitals(p *patient) {
	if p.gone {
		return
	}
	t := w.now
	charted := p.between(20*time.Second, 4*time.Minute)
	if p.chance(0.01) {
		charted = p.between(20*time.Minute, 45*time.Minute) // written on paper first
	}
	set := []*observationResource{}
	for _, s := range []sign{heartRate, respRate, spo2} {
		m := &measures[s]
		o := p.observation(vitalSigns, t, append([]coding{m.code}, m.also...)...)
		q := p.quantityOf(s, t)
		o.ValueQuantity = &q
		set = append(set, o)
	}
	saturation := set[2].ValueQuantity.Value
	set = append(set, p.bloodPressure(t))
	unrest := p.unrest(t)
	if full := t.Sub(p.seen); p.seen.IsZero() || full >= 4*time.Hour || unrest > 0.15 && full >= time.Hour {
		p.seen = t
		set = append(set, p.fullSet(t, saturation)...)
	}
	for _, o := range set {
		w.deliver(p, o, t.Add(charted))
	}
	every := time.Hour
	switch {
	case unrest > 0.5:
		every = 15 * time.Minute
	case unrest > 0.15 || p.arc == sepsis:
		every = 30 * time.Minute
	}
	w.plan(t.Add(every+p.between(-every/12, every/12)), func() { w.vitals(p) })
}

// fullSet is what is looked at less often: temperature, consciousness, oxygen.
func (p *patient) fullSet(t time.Time, saturation float64) []*observationResource {
	temp := p.observation(vitalSigns, t, measures[temperature].code)
	q := p.quantityOf(temperature, t)
	temp.ValueQuantity = &q

	state, score := alert, 15.0
	switch worst := p.illness(t); {
	case worst > 0.9:
		state, score = toVoice, 13
	case worst > 0.7:
		state, score = confused, 14
	}
	mind := p.observation(survey, t, acvpu)
	c := of(state)
	mind.ValueCodeableConcept = &c
	gcs := p.observation(survey, t, coma)
	gcs.ValueQuantity = &quantity{score, "{score}", systemUCUM, "{score}"}
	set := []*observationResource{temp, mind, gcs}

	if low := 94.0; !p.capped && saturation < low {
		flow := p.observation(vitalSigns, t, oxygen)
		flow.ValueQuantity = &quantity{min(15, 1+math.Round(low-saturation)), "L/min", systemUCUM, "L/min"}
		set = append(set, flow)
	}
	return set
}

func (p *patient) bloodPressure(t time.Time) *observationResource {
	s, d := p.quantityOf(systolic, t), p.quantityOf(diastolic, t)
	d.Value = min(d.Value, s.Value-12) // there is always a pulse pressure
	o := p.observation(vitalSigns, t, pressure)
	o.Component = []component{
		{of(measures[systolic].code), s},
		{of(measures[diastolic].code), d},
	}
	return o
}

// deliver sends an observation at its time of arrival. A few are mended later: most of those amended
// (the same resource, a newer version, another number), some found to be somebody else's.
func (w *ward) deliver(p *patient, o *observationResource, arrival time.Time) {
	o.Issued = stamp(arrival)
	fate := p.rng.Float64()
	number := o.ValueQuantity != nil && (o.Category[0].Coding[0].Code != "survey")
	amended := number && fate < 0.004
	mistaken := number && !amended && fate > 0.999
	truth := o.ValueQuantity
	if amended {
		wrong := *truth
		wrong.Value = misread(wrong, p.uniform(0.94, 1.06))
		o.ValueQuantity = &wrong
	}
	w.plan(arrival, func() { w.send(p, o) })
	if amended || mistaken {
		mended := arrival.Add(p.between(5*time.Minute, 70*time.Minute))
		w.plan(mended, func() {
			o.Status, o.ValueQuantity = "amended", truth
			if mistaken {
				o.Status = "entered-in-error"
			}
			o.Issued = stamp(w.now)
			w.send(p, o)
		})
	}
}

// misread is a number as somebody wrote it down wrongly, still one that the measure can have.
func misread(q quantity, factor float64) float64 {
	for s := range measures {
		if m := &measures[s]; m.ucum == q.Code && q.Value >= m.low && q.Value <= m.high {
			return m.hold(q.Value * factor)
		}
	}
	return q.Value
}

// Panels are what the laboratory is asked for together.
var (
	panelChemistry  = []sign{sodium, potassium, creatinine, urea, glucose}
	panelBloodCount = []sign{whiteCells, haemoglobin, platelets, crp}
	panelClotting   = []sign{inr}
	panelLactate    = []sign{lactate}
	panelMagnesium  = []sign{magnesium}
)

// report takes a sample at t and sends its results when they are ready, 20 to 90 minutes later unless
// delay says otherwise. With the creatinine comes the filtration rate estimated from it.
func (w *ward) report(p *patient, panel []sign, t time.Time, delay time.Duration) {
	if delay == 0 {
		delay = p.between(20*time.Minute, 90*time.Minute)
	}
	arrival := t.Add(delay)
	if arrival.Before(w.now) {
		arrival = w.now
	}
	for _, s := range panel {
		o := p.observation(laboratory, t, measures[s].code)
		q := p.quantityOf(s, t)
		o.ValueQuantity = &q
		w.deliver(p, o, arrival)
		if s == creatinine {
			rate := p.observation(laboratory, t, filtrate)
			rate.ValueQuantity = &quantity{math.Round(egfr(q.Value, float64(p.age), p.female)), "mL/min/{1.73_m2}", systemUCUM, "mL/min/{1.73_m2}"}
			w.deliver(p, rate, arrival)
		}
	}
}

// bloodCulture takes blood for culture. That it was taken is known at once; what grows, a day later.
func (w *ward) bloodCulture(p *patient) {
	o := p.observation(laboratory, w.now, culture)
	o.Status = "registered"
	found := noGrowth
	if p.chance(0.3) {
		found = coliform
	}
	read := w.now.Add(p.between(18*time.Hour, 30*time.Hour))
	w.deliver(p, o, w.now.Add(p.between(time.Minute, 10*time.Minute)))
	w.plan(read, func() {
		result := of(found)
		o.Status, o.ValueCodeableConcept, o.Issued = "preliminary", &result, stamp(w.now)
		w.send(p, o)
	})
}

// round is the daily blood round of a patient, and for those on insulin a finger-prick every four
// hours.
func (w *ward) round(p *patient) {
	if p.gone {
		return
	}
	w.report(p, panelChemistry, w.now, 0)
	w.report(p, panelBloodCount, w.now, 0)
	if p.takes("warfarin") && p.arc != overcoagulation {
		w.report(p, panelClotting, w.now, 0)
	}
	if p.takes("furosemide") {
		w.report(p, panelMagnesium, w.now, 0)
	}
	if p.arc == stable && p.chance(0.25) {
		w.report(p, panelLactate, w.now, p.between(5*time.Minute, 20*time.Minute))
	}
	w.plan(w.now.Add(p.between(20*time.Hour, 26*time.Hour)), func() { w.round(p) })
}

// fingerPrick measures glucose at the bedside.
func (w *ward) fingerPrick(p *patient) {
	o := p.observation(laboratory, w.now, fingerGlu)
	q := p.quantityOf(glucose, w.now)
	o.ValueQuantity = &q
	w.deliver(p, o, w.now.Add(p.between(time.Minute, 4*time.Minute)))
}

// fingerPricks go on every four hours, but for the time in which somebody forgets.
func (w *ward) fingerPricks(p *patient) {
	if p.gone {
		return
	}
	if !p.hushed {
		w.fingerPrick(p)
	}
	w.plan(w.now.Add(4*time.Hour+p.between(-20*time.Minute, 20*time.Minute)), func() { w.fingerPricks(p) })
}

// earlierHbA1c sends the latest long-term glucose result. For some it becomes six months old while
// the ward is running, for some it has been that for long.
func (w *ward) earlierHbA1c(p *patient) {
	var t time.Time
	switch kind := p.rng.IntN(4); kind {
	case 0:
		t = w.now.Add(p.between(time.Hour, 20*time.Hour)).AddDate(0, -6, 0)
	case 1:
		t = w.now.AddDate(0, -7-p.rng.IntN(12), 0)
	default:
		t = w.now.AddDate(0, -1-p.rng.IntN(4), -p.rng.IntN(28))
	}
	w.longTermGlucose(p, t, w.now)
	if t.Before(w.now.AddDate(0, -7, 0)) && p.chance(0.5) {
		sample := w.now.Add(p.between(6*time.Hour, 20*time.Hour))
		w.plan(sample, func() {
			if !p.gone {
				w.longTermGlucose(p, sample, sample.Add(p.between(time.Hour, 3*time.Hour)))
			}
		})
	}
}

// longTermGlucose follows the mean glucose: HbA1c = (mean + 46.7) / 28.7 (Nathan DM et al., Diabetes
// Care 2008;31:1473-1478).
func (w *ward) longTermGlucose(p *patient, t, arrival time.Time) {
	o := p.observation(laboratory, t, hba1c)
	percent := (p.body.base[glucose] + 46.7) / 28.7
	o.ValueQuantity = &quantity{math.Round(percent*10) / 10, "%", systemUCUM, "%"}
	if t.Before(p.since) {
		o.Encounter = nil
	}
	w.deliver(p, o, arrival)
}
