package ward

import "time"

// arc is what happens to a patient on the ward.
type arc int

const (
	stable          arc = iota
	sepsis              // fever, fast heart and breath, lactate; recovers after antibiotics
	unrepeated          // a high lactate that nobody measures again for hours
	kidneyInjury        // creatinine rises after an NSAID; some need dialysis
	hyperkalaemia       // potassium rises on an ACE inhibitor
	hypoglycaemia       // glucose falls on insulin, for some twice
	overcoagulation     // INR rises on warfarin after an antibiotic
	digitalis           // potassium falls on digoxin and a diuretic
	lowFiltration       // metformin, though the kidneys hardly filter
)

// arcs is what one block of beds holds.
var arcs = []arc{sepsis, sepsis, unrepeated, kidneyInjury, hyperkalaemia, hypoglycaemia, overcoagulation, digitalis, lowFiltration}

// follow sets a patient's arc going.
func (w *ward) follow(p *patient) {
	onset := w.now.Add(p.between(20*time.Minute, 5*time.Hour))
	if p.takes("insulin aspart") {
		w.plan(w.now.Add(p.between(5*time.Minute, 4*time.Hour)), func() { w.fingerPricks(p) })
	}
	switch p.arc {
	case sepsis:
		w.sepsis(p, onset)
	case unrepeated:
		w.unrepeated(p, onset)
	case kidneyInjury:
		w.kidneyInjury(p, onset)
	case hyperkalaemia:
		w.hyperkalaemia(p, onset)
	case hypoglycaemia:
		w.hypoglycaemia(p, onset)
	case overcoagulation:
		w.overcoagulation(p, onset)
	case digitalis:
		w.digitalis(p, onset)
	case lowFiltration:
		w.plan(w.now.Add(p.between(10*time.Hour, 16*time.Hour)), func() { w.stopIfHere(p, "metformin") })
	}
}

// later plans something for a patient who is still there.
func (w *ward) later(p *patient, at time.Time, do func()) {
	w.plan(at, func() {
		if !p.gone {
			do()
		}
	})
}

func (w *ward) stopIfHere(p *patient, name string) {
	if !p.gone {
		w.stop(p, name)
	}
}

// samples plans a panel at a rhythm from from to until.
func (w *ward) samples(p *patient, panel []sign, from, until time.Time, every, delay time.Duration) {
	for t := from; t.Before(until); t = t.Add(every + p.between(-every/10, every/10)) {
		w.later(p, t, func() { w.report(p, panel, w.now, delay) })
	}
}

// illness is how much of a sepsis there is, which clouds the mind.
func (p *patient) illness(t time.Time) float64 {
	if p.arc != sepsis || len(p.body.courses) == 0 {
		return 0
	}
	return p.body.courses[0].severity(t)
}

func (w *ward) sepsis(p *patient, onset time.Time) {
	rise := p.between(4*time.Hour, 6*time.Hour)
	noticed := onset.Add(time.Duration(p.uniform(0.6, 0.85) * float64(rise)))
	treated := noticed.Add(p.between(40*time.Minute, 150*time.Minute))
	size := p.uniform(0.8, 1.25)
	heat := 2.1 * size
	if p.chance(0.2) {
		heat = -1.7 * size // some, most of them old, grow cold
	}
	p.body.courses = append(p.body.courses, course{
		onset: onset, treated: treated.Add(time.Hour), rise: rise, halfLife: p.between(4*time.Hour, 8*time.Hour),
		effects: map[sign]float64{
			temperature: heat, heartRate: 48 * size, respRate: 11 * size, spo2: -5 * size,
			systolic: -36 * size, diastolic: -18 * size, lactate: 3.4 * size, whiteCells: 9 * size,
			crp: 160 * size, platelets: -60 * size, creatinine: 0.25 * size, glucose: 35 * size,
		},
	})
	w.later(p, noticed, func() {
		w.report(p, panelLactate, w.now, p.between(5*time.Minute, 20*time.Minute))
		w.report(p, panelBloodCount, w.now, 0)
		w.report(p, panelChemistry, w.now, 0)
	})
	w.later(p, treated, func() {
		w.condition(p, of(sepsisSyndrome), w.now)
		w.prescribe(p, "piperacillin", w.now)
		w.prescribe(p, "vancomycin", w.now)
	})
	w.samples(p, panelLactate, noticed.Add(p.between(2*time.Hour, 5*time.Hour)), treated.Add(18*time.Hour), 5*time.Hour, 15*time.Minute)
	w.samples(p, panelBloodCount, treated.Add(8*time.Hour), treated.Add(48*time.Hour), 12*time.Hour, 0)
	switch luck := p.uniform(0, 1); { // blood for culture: before the antibiotics, hours later, or never
	case luck < 0.5:
		w.later(p, treated.Add(-p.between(5*time.Minute, 30*time.Minute)), func() { w.bloodCulture(p) })
	case luck < 0.75:
		w.later(p, treated.Add(p.between(4*time.Hour, 8*time.Hour)), func() { w.bloodCulture(p) })
	}
}

func (w *ward) unrepeated(p *patient, onset time.Time) {
	rise := 2 * time.Hour
	p.body.courses = append(p.body.courses, course{
		onset: onset, treated: onset.Add(rise + time.Hour), rise: rise, halfLife: 6 * time.Hour,
		effects: map[sign]float64{lactate: p.uniform(1.8, 3.2), heartRate: 16, systolic: -10, respRate: 3},
	})
	first := onset.Add(rise + p.between(0, time.Hour))
	w.later(p, first, func() { w.report(p, panelLactate, w.now, p.between(5*time.Minute, 20*time.Minute)) })
	w.later(p, first.Add(p.between(8*time.Hour, 13*time.Hour)), func() {
		w.report(p, panelLactate, w.now, p.between(5*time.Minute, 20*time.Minute))
	})
}

func (w *ward) kidneyInjury(p *patient, onset time.Time) {
	nsaid := [...]string{"naproxen", "ibuprofen"}[p.rng.IntN(2)]
	severe := p.chance(0.4)
	growth, rise := p.uniform(0.9, 1.8), p.between(16*time.Hour, 26*time.Hour)
	if severe {
		growth, rise = p.uniform(3, 4), p.between(11*time.Hour, 15*time.Hour)
	}
	noticed := onset.Add(rise/2 + p.between(0, 4*time.Hour))
	base := p.body.base[creatinine]
	p.body.courses = append(p.body.courses, course{
		onset: onset, treated: onset.Add(rise + 4*time.Hour), rise: rise, halfLife: p.between(36*time.Hour, 60*time.Hour),
		effects: map[sign]float64{creatinine: base * growth, urea: 14 * growth, potassium: min(1.6, 0.5*growth)},
	})
	w.later(p, onset, func() { w.prescribe(p, nsaid, w.now) })
	w.samples(p, panelChemistry, onset.Add(4*time.Hour), onset.Add(72*time.Hour), 6*time.Hour, 0)
	w.later(p, noticed, func() {
		w.stop(p, nsaid)
		w.stop(p, "lisinopril")
	})
	if severe {
		begin := onset.Add(rise + p.between(time.Hour, 3*time.Hour))
		finish := begin.Add(4 * time.Hour)
		w.later(p, finish, func() { w.procedure(p, of(haemodialysis), begin, finish) })
	}
}

func (w *ward) hyperkalaemia(p *patient, onset time.Time) {
	rise := p.between(6*time.Hour, 10*time.Hour)
	noticed := onset.Add(rise + p.between(0, time.Hour))
	p.body.courses = append(p.body.courses, course{
		onset: onset, treated: noticed.Add(2 * time.Hour), rise: rise, halfLife: p.between(3*time.Hour, 6*time.Hour),
		effects: map[sign]float64{potassium: p.uniform(6.3, 7.1) - p.body.base[potassium], creatinine: 0.3, heartRate: -8},
	})
	w.samples(p, panelChemistry, onset, onset.Add(40*time.Hour), 4*time.Hour, 0)
	w.later(p, noticed.Add(2*time.Hour), func() {
		w.stop(p, "ramipril")
		w.stop(p, "spironolactone")
		w.once(p, "insulin aspart")
		w.once(p, "glucose")
	})
}

func (w *ward) hypoglycaemia(p *patient, onset time.Time) {
	w.low(p, onset, p.chance(0.5))
	if p.chance(0.6) {
		w.low(p, onset.Add(p.between(6*time.Hour, 9*time.Hour)), false)
	}
}

// low is one fall of glucose: insulin, the measurement, sugar, and (unless it is forgotten) the
// measurement after it.
func (w *ward) low(p *patient, onset time.Time, forgotten bool) {
	fall := p.between(40*time.Minute, 70*time.Minute)
	treated := onset.Add(fall + 5*time.Minute)
	p.body.courses = append(p.body.courses, course{
		onset: onset, treated: treated, rise: fall, halfLife: 15 * time.Minute,
		effects: map[sign]float64{glucose: p.uniform(40, 60) - p.body.base[glucose], heartRate: 14},
	})
	w.later(p, onset, func() { w.once(p, "insulin aspart") })
	w.later(p, onset.Add(fall), func() {
		w.fingerPrick(p)
		p.hushed = forgotten
	})
	w.later(p, treated, func() { w.once(p, "glucose") })
	if forgotten {
		w.later(p, treated.Add(6*time.Hour), func() { p.hushed = false })
		return
	}
	w.later(p, treated.Add(30*time.Minute), func() { w.fingerPrick(p) })
}

func (w *ward) overcoagulation(p *patient, onset time.Time) {
	rise := p.between(14*time.Hour, 20*time.Hour)
	noticed := onset.Add(rise - p.between(0, 3*time.Hour))
	p.body.courses = append(p.body.courses, course{
		onset: onset, treated: noticed.Add(4 * time.Hour), rise: rise, halfLife: p.between(14*time.Hour, 24*time.Hour),
		effects: map[sign]float64{inr: p.uniform(3.6, 7.2)},
	})
	w.later(p, onset, func() { w.prescribe(p, "clarithromycin", w.now) })
	w.samples(p, panelClotting, onset.Add(time.Hour), onset.Add(72*time.Hour), 5*time.Hour, 0)
	w.later(p, noticed.Add(2*time.Hour), func() {
		w.stop(p, "warfarin")
		w.stop(p, "clarithromycin")
		w.once(p, "phytomenadione")
	})
}

func (w *ward) digitalis(p *patient, onset time.Time) {
	rise := p.between(5*time.Hour, 9*time.Hour)
	noticed := onset.Add(rise + p.between(2*time.Hour, 5*time.Hour))
	p.body.courses = append(p.body.courses, course{
		onset: onset, treated: noticed, rise: rise, halfLife: p.between(4*time.Hour, 7*time.Hour),
		effects: map[sign]float64{potassium: p.uniform(2.8, 3.2) - p.body.base[potassium], magnesium: -0.5, heartRate: -10},
	})
	w.samples(p, panelChemistry, onset, onset.Add(36*time.Hour), 4*time.Hour, 0)
	w.samples(p, panelMagnesium, onset.Add(2*time.Hour), onset.Add(36*time.Hour), 8*time.Hour, 0)
	w.later(p, noticed, func() { w.prescribe(p, "potassium", w.now) })
}
