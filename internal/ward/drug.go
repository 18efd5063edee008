package ward

import (
	"fmt"
	"time"
)

// drug is one line of the formulary: its ingredient in RxNorm, the clinical drug where the ward keeps
// one, its class in ATC, the usual dose and how often it is given.
type drug struct {
	codes []coding
	dose  quantity
	every time.Duration
}

func rxnorm(code, display string) coding { return coding{systemRxNorm, code, display} }
func atc(code, display string) coding    { return coding{systemATC, code, display} }
func ucum(x float64, unit string) quantity {
	return quantity{x, unit, systemUCUM, unit}
}

var formulary = map[string]*drug{
	"paracetamol":      {[]coding{rxnorm("161", "acetaminophen"), atc("N02BE01", "paracetamol")}, ucum(1000, "mg"), 6 * time.Hour},
	"amlodipine":       {[]coding{rxnorm("197361", "amlodipine 5 MG Oral Tablet"), rxnorm("17767", "amlodipine"), atc("C08CA01", "amlodipine")}, ucum(5, "mg"), 24 * time.Hour},
	"ramipril":         {[]coding{rxnorm("198189", "ramipril 5 MG Oral Capsule"), rxnorm("35296", "ramipril"), atc("C09AA05", "ramipril")}, ucum(5, "mg"), 24 * time.Hour},
	"lisinopril":       {[]coding{rxnorm("314076", "lisinopril 10 MG Oral Tablet"), rxnorm("29046", "lisinopril"), atc("C09AA03", "lisinopril")}, ucum(10, "mg"), 24 * time.Hour},
	"furosemide":       {[]coding{rxnorm("313988", "furosemide 40 MG Oral Tablet"), rxnorm("4603", "furosemide"), atc("C03CA01", "furosemide")}, ucum(40, "mg"), 12 * time.Hour},
	"spironolactone":   {[]coding{rxnorm("9997", "spironolactone"), atc("C03DA01", "spironolactone")}, ucum(25, "mg"), 24 * time.Hour},
	"ibuprofen":        {[]coding{rxnorm("197805", "ibuprofen 400 MG Oral Tablet"), rxnorm("5640", "ibuprofen"), atc("M01AE01", "ibuprofen")}, ucum(400, "mg"), 8 * time.Hour},
	"naproxen":         {[]coding{rxnorm("198014", "naproxen 500 MG Oral Tablet"), rxnorm("7258", "naproxen"), atc("M01AE02", "naproxen")}, ucum(500, "mg"), 12 * time.Hour},
	"warfarin":         {[]coding{rxnorm("855332", "warfarin sodium 5 MG Oral Tablet"), rxnorm("11289", "warfarin"), atc("B01AA03", "warfarin")}, ucum(5, "mg"), 24 * time.Hour},
	"enoxaparin":       {[]coding{rxnorm("67108", "enoxaparin"), atc("B01AB05", "enoxaparin")}, ucum(40, "mg"), 24 * time.Hour},
	"digoxin":          {[]coding{rxnorm("197604", "digoxin 0.125 MG Oral Tablet"), rxnorm("3407", "digoxin"), atc("C01AA05", "digoxin")}, ucum(0.125, "mg"), 24 * time.Hour},
	"amiodarone":       {[]coding{rxnorm("703", "amiodarone"), atc("C01BD01", "amiodarone")}, ucum(200, "mg"), 24 * time.Hour},
	"metformin":        {[]coding{rxnorm("861007", "metformin hydrochloride 500 MG Oral Tablet"), rxnorm("6809", "metformin"), atc("A10BA02", "metformin")}, ucum(500, "mg"), 12 * time.Hour},
	"insulin aspart":   {[]coding{rxnorm("51428", "insulin aspart"), atc("A10AB05", "insulin aspart")}, ucum(8, "[iU]"), 6 * time.Hour},
	"insulin glargine": {[]coding{rxnorm("274783", "insulin glargine"), atc("A10AE04", "insulin glargine")}, ucum(18, "[iU]"), 24 * time.Hour},
	"prednisolone":     {[]coding{rxnorm("8638", "prednisolone"), atc("H02AB06", "prednisolone")}, ucum(30, "mg"), 24 * time.Hour},
	"ceftriaxone":      {[]coding{rxnorm("2193", "ceftriaxone"), atc("J01DD04", "ceftriaxone")}, ucum(2, "g"), 24 * time.Hour},
	"piperacillin":     {[]coding{rxnorm("8339", "piperacillin"), atc("J01CR05", "piperacillin and beta-lactamase inhibitor")}, ucum(4.5, "g"), 8 * time.Hour},
	"vancomycin":       {[]coding{rxnorm("11124", "vancomycin"), atc("J01XA01", "vancomycin")}, ucum(1, "g"), 12 * time.Hour},
	"clarithromycin":   {[]coding{rxnorm("21212", "clarithromycin"), atc("J01FA09", "clarithromycin")}, ucum(500, "mg"), 12 * time.Hour},
	"phytomenadione":   {[]coding{atc("B02BA01", "phytomenadione")}, ucum(2, "mg"), 0},
	"potassium":        {[]coding{rxnorm("8591", "potassium chloride"), atc("A12BA01", "potassium chloride")}, ucum(24, "mmol"), 8 * time.Hour},
	"glucose":          {[]coding{atc("V06DC01", "glucose")}, ucum(20, "g"), 0},
}

// order is a prescription on the ward.
type order struct {
	name     string
	drug     *drug
	resource *medicationRequestResource
	ceased   bool
}

// prescribe orders a drug from since on and gives it at its times.
func (w *ward) prescribe(p *patient, name string, since time.Time) {
	d := formulary[name]
	hours := d.every.Hours()
	o := &order{name: name, drug: d, resource: &medicationRequestResource{
		header:                    p.head("MedicationRequest"),
		Status:                    "active",
		Intent:                    "order",
		Category:                  []concept{term("medicationrequest-category", "inpatient")},
		MedicationCodeableConcept: concept{Coding: d.codes, Text: name},
		Subject:                   p.subject(),
		Encounter:                 p.encounter(),
		AuthoredOn:                stamp(since),
		DosageInstruction: []dosageInstruction{{
			Text:        fmt.Sprintf("%v %s every %v hours", d.dose.Value, d.dose.Unit, hours),
			Timing:      timing{repeat{BoundsPeriod: period{Start: stamp(since)}, Frequency: 1, Period: hours, PeriodUnit: "h"}},
			DoseAndRate: []doseAndRate{{d.dose}},
		}},
	}}
	p.orders = append(p.orders, o)
	w.send(p, o.resource)
	first := w.now.Add(p.between(10*time.Minute, 40*time.Minute))
	if since.Before(w.now) {
		first = w.now.Add(p.between(20*time.Minute, d.every))
	}
	w.plan(first, func() { w.give(p, o) })
}

// give records a dose and plans the next.
func (w *ward) give(p *patient, o *order) {
	if o.ceased {
		return
	}
	w.administer(p, o.drug, o.name, &reference{"MedicationRequest/" + o.resource.ID})
	w.plan(w.now.Add(o.drug.every+p.between(-15*time.Minute, 15*time.Minute)), func() { w.give(p, o) })
}

// administer records one dose, of an order or given at once.
func (w *ward) administer(p *patient, d *drug, name string, request *reference) {
	w.send(p, &medicationAdministrationResource{
		header:                    p.head("MedicationAdministration"),
		Status:                    "completed",
		MedicationCodeableConcept: concept{Coding: d.codes, Text: name},
		Subject:                   p.subject(),
		Context:                   p.encounter(),
		EffectiveDateTime:         stamp(w.now),
		Request:                   request,
		Dosage:                    dosage{d.dose},
	})
}

// once gives a single dose without a standing order.
func (w *ward) once(p *patient, name string) { w.administer(p, formulary[name], name, nil) }

// cease ends an order: a newer version of it, with its end.
func (w *ward) cease(p *patient, o *order, status string) {
	if o.ceased {
		return
	}
	o.ceased = true
	o.resource.Status = status
	o.resource.DosageInstruction[0].Timing.Repeat.BoundsPeriod.End = stamp(w.now)
	w.send(p, o.resource)
}

// stop ceases every order of a drug.
func (w *ward) stop(p *patient, name string) {
	for _, o := range p.orders {
		if o.name == name {
			w.cease(p, o, "stopped")
		}
	}
}

// takes says whether a drug is ordered now.
func (p *patient) takes(name string) bool {
	for _, o := range p.orders {
		if o.name == name && !o.ceased {
			return true
		}
	}
	return false
}
