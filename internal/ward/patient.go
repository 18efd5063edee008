package ward

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// patient is one person on the ward, from admission to discharge.
type patient struct {
	id       string
	rng      *rand.Rand
	arc      arc
	history  *background
	age      int
	female   bool
	born     time.Time
	body     body
	since    time.Time // admission
	gone     bool      // discharged
	seen     time.Time // latest full set of vital signs (temperature, consciousness)
	stay     *encounterResource
	orders   []*order
	made     int  // resources so far: ids
	hushed   bool // the ward omits to measure the lactate again
	capped   bool // saturation aimed at 88-92 %: hypercapnic
	diabetic bool
}

var (
	familyNames = []string{"Adeyemi", "Baker", "Costa", "Dimitrov", "Evans", "Fischer", "Garcia", "Haddad", "Ivanova", "Jensen", "Kowalski", "Lindqvist", "Murphy", "Nguyen", "Okafor", "Patel", "Quinn", "Rossi", "Suzuki", "Tanaka", "Usman", "Varga", "Williams", "Yilmaz", "Zhang"}
	givenWomen  = []string{"Amina", "Beatrice", "Clara", "Dorothy", "Elena", "Fatima", "Grace", "Hanna", "Ingrid", "Joan", "Keiko", "Lucia", "Margaret", "Nadia", "Olga", "Priya"}
	givenMen    = []string{"Albert", "Bruno", "Carlos", "David", "Emil", "Farid", "George", "Henrik", "Ibrahim", "Jakub", "Kenji", "Luca", "Martin", "Nikos", "Omar", "Peter"}
)

// newPatient draws a person for an arc. Each patient has random numbers of their own, so that what
// happens to one does not disturb another.
func (w *ward) newPatient(a arc) *patient {
	w.admitted++
	p := &patient{
		id:  fmt.Sprintf("ward-%05d", w.admitted),
		rng: rand.New(rand.NewPCG(w.seed, uint64(w.admitted))),
		arc: a,
	}
	p.history = p.draw(a)
	p.age = p.history.youngest + p.rng.IntN(p.history.oldest-p.history.youngest+1)
	p.female = p.rng.IntN(2) == 0
	p.born = w.start.AddDate(-p.age, 0, -1-p.rng.IntN(364))
	p.body = newBody(p)
	for s := range signs { // in order: each draws a random number
		if x, ok := p.history.base[s]; ok {
			p.body.base[s] = x + measures[s].spread*0.5*max(-1.5, min(1.5, p.rng.NormFloat64()))
		}
	}
	p.capped = p.history.capped
	p.diabetic = p.history.diabetic
	return p
}

// between draws a duration in whole seconds.
func (p *patient) between(low, high time.Duration) time.Duration {
	return low + time.Duration(p.rng.Int64N(int64((high-low)/time.Second)+1))*time.Second
}

// uniform draws a number.
func (p *patient) uniform(low, high float64) float64 { return low + (high-low)*p.rng.Float64() }

// chance is true in the given share of cases.
func (p *patient) chance(share float64) bool { return p.rng.Float64() < share }

// head begins a resource of this patient.
func (p *patient) head(kind string) header {
	p.made++
	return header{ResourceType: kind, ID: fmt.Sprintf("%s-%d", p.id, p.made)}
}

func (p *patient) subject() reference   { return reference{"Patient/" + p.id} }
func (p *patient) encounter() reference { return reference{"Encounter/" + p.stay.ID} }

// admit sends who the patient is, why they came and what they brought, and sets their stay going.
// since may lie in the past: the ward did not begin with this feed.
func (w *ward) admit(p *patient, since time.Time) {
	p.since = since
	given, gender := givenMen, "male"
	if p.female {
		given, gender = givenWomen, "female"
	}
	w.send(p, &patientResource{
		header:     header{ResourceType: "Patient", ID: p.id},
		Identifier: []identifier{{"urn:vigil:ward", p.id}},
		Name:       []humanName{{familyNames[p.rng.IntN(len(familyNames))], []string{given[p.rng.IntN(len(given))]}}},
		Gender:     gender,
		BirthDate:  p.born.Format("2006-01-02"),
	})
	p.stay = &encounterResource{
		header:     p.head("Encounter"),
		Status:     "in-progress",
		Class:      coding{terminology + "v3-ActCode", "IMP", "inpatient encounter"},
		Type:       []concept{of(snomed("183452005", "Emergency hospital admission"))},
		Subject:    p.subject(),
		Period:     period{Start: stamp(since)},
		ReasonCode: []concept{of(p.history.conditions[0])},
	}
	w.send(p, p.stay)
	for i, c := range p.history.conditions {
		onset := since.Add(-p.between(2*time.Hour, 36*time.Hour))
		if i > 0 {
			onset = since.AddDate(-1-p.rng.IntN(12), -p.rng.IntN(12), 0)
		}
		w.condition(p, of(c), onset)
	}
	if p.history.operation != nil {
		begin := since.Add(p.between(2*time.Hour, 8*time.Hour))
		finish := begin.Add(p.between(40*time.Minute, 2*time.Hour))
		w.plan(finish, func() { w.procedure(p, of(*p.history.operation), begin, finish) })
	}
	for _, name := range p.history.drugs {
		w.prescribe(p, name, since)
	}
	if p.diabetic {
		w.earlierHbA1c(p)
	}
	if since.Before(w.now) {
		// Results from before the feed, so that those on the ward from its start have a past.
		stayed := w.now.Sub(since)
		w.report(p, panelChemistry, w.now.Add(-min(stayed, p.between(14*time.Hour, 20*time.Hour))), 0)
		w.report(p, panelBloodCount, w.now.Add(-min(stayed, p.between(8*time.Hour, 12*time.Hour))), 0)
	}
	w.plan(w.now.Add(p.between(time.Minute, 12*time.Minute)), func() { w.vitals(p) })
	w.plan(w.now.Add(p.between(10*time.Minute, 90*time.Minute)), func() { w.round(p) })
	w.follow(p)
	w.plan(w.now.Add(p.length()), func() { w.discharge(p) })
}

// length is how long the stay goes on from now: those who follow an arc stay until it is over.
func (p *patient) length() time.Duration {
	if p.arc != stable {
		return p.between(60*time.Hour, 160*time.Hour)
	}
	return p.between(8*time.Hour, 140*time.Hour)
}

// discharge ends the stay and the orders, and leaves the bed to the next.
func (w *ward) discharge(p *patient) {
	p.gone = true
	for _, o := range p.orders {
		w.cease(p, o, "completed")
	}
	p.stay.Status = "finished"
	p.stay.Period.End = stamp(w.now)
	p.stay.Hospitalization = &hospitalization{term("discharge-disposition", "home")}
	w.send(p, p.stay)
	w.refill(p)
}

func (w *ward) condition(p *patient, code concept, onset time.Time) {
	e := p.encounter()
	w.send(p, &conditionResource{
		header:             p.head("Condition"),
		ClinicalStatus:     term("condition-clinical", "active"),
		VerificationStatus: term("condition-ver-status", "confirmed"),
		Category:           []concept{term("condition-category", "encounter-diagnosis")},
		Code:               code,
		Subject:            p.subject(),
		Encounter:          &e,
		OnsetDateTime:      stamp(onset),
		RecordedDate:       stamp(w.now),
	})
}

func (w *ward) procedure(p *patient, code concept, begin, finish time.Time) {
	w.send(p, &procedureResource{
		header:          p.head("Procedure"),
		Status:          "completed",
		Code:            code,
		Subject:         p.subject(),
		Encounter:       p.encounter(),
		PerformedPeriod: period{stamp(begin), stamp(finish)},
	})
}
