package explain

import (
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// person is what the log said last about the patient's own person; false if it never said anything.
// Its Time is the birth date, its End the instant of death.
func (r *reading) person() (clinical.Fact, bool) {
	if len(r.persons) == 0 {
		return clinical.Fact{}, false
	}
	return r.persons[len(r.persons)-1].Fact, true
}

// latestPerson is the statement that says it, if there is one.
func (r *reading) latestPerson() []member {
	if n := len(r.persons); n > 0 {
		return []member{{Statement: r.persons[n-1]}}
	}
	return nil
}

// patient answers the terms about the patient. They take no window.
func (r *reading) patient(op rules.Op, now clinical.Instant) rules.Value {
	person, known := r.person()
	if !known {
		return rules.Value{}
	}
	switch op {
	case rules.Age:
		return r.age(12, person.Time, now)
	case rules.AgeMonths:
		return r.age(1, person.Time, now)
	case rules.Sex:
		return sex(detailOf(person))
	case rules.BirthDate:
		if person.Time == clinical.Never {
			return rules.Value{}
		}
		return rules.TimeOf(person.Time)
	}
	return rules.BoolOf(deceased(person, now))
}

// age is how many whole steps of so many months the patient has completed; missing for an unknown
// birth date and before the birth.
func (r *reading) age(step int, birth, now clinical.Instant) rules.Value {
	if birth == clinical.Never || now < birth {
		return rules.Value{}
	}
	return rules.NumberOf(float64(completed(step, birth, now, r.program.Zone)))
}

func sex(d *clinical.Detail) rules.Value {
	a := d.Attribute(clinical.AttrSex)
	if a == nil || len(a.Codes) == 0 {
		return rules.Value{}
	}
	return rules.TextOf(a.Codes[0].Value())
}

// deceased is true from the instant of death on, and at every instant for a patient who is known to
// have died at an unknown one.
func deceased(person clinical.Fact, now clinical.Instant) bool {
	d := detailOf(person)
	a := d.Attribute(clinical.AttrDeceased)
	if a == nil || len(a.Codes) == 0 || a.Codes[0] != "true" {
		return false
	}
	return person.End == clinical.Forever || now >= person.End
}

// Unborn says whether the instant is before the birth of the patient, as far as the birth date is known.
func Unborn(h History, now clinical.Instant) bool {
	person, known := (&reading{persons: persons(h)}).person()
	return known && person.Time != clinical.Never && now < person.Time
}
