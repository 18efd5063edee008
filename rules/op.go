package rules

import "github.com/vigil-cds/vigil/internal/clinical"

// opNames are the words that packs use, in the order of the Ops.
var opNames = [...]string{
	Exists: "exists", Count: "count", Last: "last", First: "first", Min: "min", Max: "max", Sum: "sum", Mean: "mean",
	Delta: "delta", Median: "median", StdDev: "stddev", Rise: "rise", Fall: "fall", Slope: "slope", EWMA: "ewma",
	DurationAbove: "duration_above", DurationBelow: "duration_below", Nth: "nth", Distinct: "distinct", MaxGap: "max_gap",
	LastTime: "last_time", FirstTime: "first_time", HoursSince: "hours_since", DaysSince: "days_since",
	Active: "active", Overlaps: "overlaps",
	PeriodStart: "start", PeriodEnd: "end", Ended: "ended", HoursSinceStart: "hours_since_start", HoursSinceEnd: "hours_since_end",
	Age: "age", AgeMonths: "age_months", Sex: "sex", Deceased: "deceased", BirthDate: "birth_date",
}

// String is the word that packs use: "last_time".
func (o Op) String() string { return opNames[o] }

// OfPatient reports whether the term is about the patient's person rather than an input.
func (o Op) OfPatient() bool { return o >= Age }

// OfPeriod reports whether the term is about the period itself for which a rule holds.
func (o Op) OfPeriod() bool { return o >= PeriodStart && o <= HoursSinceEnd }

// Elapsed reports whether the term changes with every millisecond.
func (o Op) Elapsed() bool {
	return o == HoursSince || o == DaysSince || o == HoursSinceStart || o == HoursSinceEnd
}

// windowed reports whether the term may have a window.
func (o Op) windowed() bool { return o <= Active }

// numeric reports whether the term asks for numbers of its input.
func (o Op) numeric() bool { return o >= Min && o <= DurationBelow }

// inUnit reports whether a number that the term answers is in the unit of its input.
func (o Op) inUnit() bool {
	return o == Last || o == First || o == Nth || o >= Min && o <= EWMA && o != Slope
}

func opOf(name string, patient bool) (Op, bool) {
	for i, n := range opNames {
		if op := Op(i); n == name && op.OfPatient() == patient && !op.OfPeriod() {
			return Op(i), true
		}
	}
	return 0, false
}

func opNamesOf(patient bool) []string {
	if patient {
		return opNames[Age:]
	}
	return opNames[:PeriodStart]
}

// yields is the type of the term's answer over an input of the given type.
func (o Op) yields(of clinical.ValueType) typ {
	switch o {
	case Exists, Active, Overlaps, Ended, Deceased:
		return boolean
	case LastTime, FirstTime, PeriodStart, PeriodEnd, BirthDate:
		return instant
	case Sex:
		return text
	case Last, First, Nth:
		switch of {
		case clinical.Boolean:
			return boolean
		case clinical.Coded, clinical.Text:
			return text
		}
	}
	return number
}
