package ucum

import (
	"maps"
	"strings"
)

// ParseLoose reads a unit as real feeds spell it: extra, a site's own table of
// spellings to UCUM codes, comes first and is taken at its word, then [Canonical],
// then [Parse]. extra may be nil; it is only read. The Unit's String is the
// UCUM code, and the errors are Parse's, about that code.
func ParseLoose(code string, extra map[string]string) (Unit, error) {
	if own, ok := extra[code]; ok {
		return Parse(own)
	}
	return Parse(Canonical(code))
}

// Canonical returns the UCUM code for a spelling from real feeds: white space
// around it goes, the micro sign (U+00B5) and the Greek mu (U+03BC) become u,
// and what [Aliases] lists is replaced. Anything else is returned as it is,
// whether it reads or not.
func Canonical(code string) string {
	code = strings.TrimSpace(code)
	if strings.ContainsAny(code, "µμ") {
		code = strings.NewReplacer("µ", "u", "μ", "u").Replace(code)
	}
	if alias, ok := aliases[code]; ok {
		return alias
	}
	return code
}

// Aliases returns a copy of the spellings that [Canonical] replaces, with the
// UCUM code that stands for each.
func Aliases() map[string]string { return maps.Clone(aliases) }

// aliases are spellings seen in laboratory, monitor and EHR feeds. A spelling is
// listed only when nobody could mean anything else by it. Hence what is missing:
// "C" and "F" (coulomb and farad, and bare letters besides), "G/L" and "T/L"
// (gauss and tesla), "units" (enzyme or international), "Mg/dL" (a megagram),
// "Torr" (not quite a millimetre of mercury), "ft" (a femtotonne).
//
// A few spellings are UCUM codes for something that no patient has, and are
// replaced all the same: K/uL (kelvin per microlitre), pH (picohenry), u/L
// (atomic mass units per litre), ML (megalitre) and the like. Parse itself reads
// those as the standard does; the tests hold the full list.
var aliases = map[string]string{
	// Pressure.
	"mmHg": "mm[Hg]", "mm Hg": "mm[Hg]", "mmhg": "mm[Hg]", "MMHG": "mm[Hg]", "mm(Hg)": "mm[Hg]",
	"cmH2O": "cm[H2O]", "cm H2O": "cm[H2O]", "cmh2o": "cm[H2O]",
	"kpa": "kPa", "KPA": "kPa",

	// Temperature.
	"degC": "Cel", "deg C": "Cel", "DegC": "Cel", "Deg C": "Cel", "degrees C": "Cel", "°C": "Cel", "℃": "Cel",
	"Celsius": "Cel", "celsius": "Cel", "CEL": "Cel", "cel": "Cel",
	"degF": "[degF]", "deg F": "[degF]", "DegF": "[degF]", "Deg F": "[degF]", "degrees F": "[degF]", "°F": "[degF]", "℉": "[degF]",
	"Fahrenheit": "[degF]", "fahrenheit": "[degF]",

	// Rates.
	"bpm": "/min", "BPM": "/min", "beats/min": "/min", "beats/minute": "/min", "beat/min": "/min",
	"breaths/min": "/min", "breaths/minute": "/min", "br/min": "/min", "resp/min": "/min",
	"per minute": "/min", "per min": "/min", "/minute": "/min",

	// Time.
	"sec": "s", "secs": "s", "second": "s", "seconds": "s", "msec": "ms",
	"mins": "min", "minute": "min", "minutes": "min",
	"hr": "h", "hrs": "h", "hour": "h", "hours": "h",
	"day": "d", "days": "d", "week": "wk", "weeks": "wk", "wks": "wk",
	"month": "mo", "months": "mo", "year": "a", "years": "a", "yr": "a", "yrs": "a",

	// Length, mass, volume, area.
	"in": "[in_i]", "inch": "[in_i]", "inches": "[in_i]", "feet": "[ft_i]",
	"lb": "[lb_av]", "lbs": "[lb_av]", "pounds": "[lb_av]", "oz": "[oz_av]", "ounces": "[oz_av]",
	"kgs": "kg", "KG": "kg", "Kg": "kg", "CM": "cm", "cms": "cm", "gm": "g", "gms": "g", "grams": "g",
	"mcg": "ug", "mcL": "uL", "mcl": "uL", "cc": "mL", "ml": "mL", "ML": "mL", "fl": "fL",
	"m²": "m2", "m^2": "m2", "sq m": "m2", "kg/m^2": "kg/m2", "kg/m²": "kg/m2", "kg/m*2": "kg/m2", "KG/M2": "kg/m2",

	// Mass concentration.
	"mg/dl": "mg/dL", "MG/DL": "mg/dL", "g/dl": "g/dL", "G/DL": "g/dL", "gm/dL": "g/dL", "gm/dl": "g/dL",
	"g/l": "g/L", "gm/L": "g/L", "mg/l": "mg/L", "mg/ml": "mg/mL",
	"ng/ml": "ng/mL", "NG/ML": "ng/mL", "ng/dl": "ng/dL", "NG/DL": "ng/dL", "ng/l": "ng/L",
	"pg/ml": "pg/mL", "PG/ML": "pg/mL", "ug/ml": "ug/mL", "ug/dl": "ug/dL", "UG/DL": "ug/dL", "ug/l": "ug/L",
	"mcg/mL": "ug/mL", "mcg/ml": "ug/mL", "mcg/dL": "ug/dL", "mcg/dl": "ug/dL", "mcg/L": "ug/L", "mcg/g": "ug/g",
	"mg/gm": "mg/g",

	// Amount of substance, equivalents, osmoles.
	"mmol/l": "mmol/L", "MMOL/L": "mmol/L", "MMOLL": "mmol/L", "mM": "mmol/L",
	"umol/l": "umol/L", "UMOL/L": "umol/L", "UMOLL": "umol/L", "uM": "umol/L",
	"nmol/l": "nmol/L", "pmol/l": "pmol/L",
	"mEq/L": "meq/L", "mEq/l": "meq/L", "meq/l": "meq/L", "MEQ/L": "meq/L", "mEq": "meq",
	"mOsm/kg": "mosm/kg", "mOsmol/kg": "mosm/kg", "MOSM/KG": "mosm/kg", "mOsm/L": "mosm/L",
	"pH": "[pH]", "PH": "[pH]",

	// Cell counts.
	"K/uL": "10*3/uL", "K/ul": "10*3/uL", "K/UL": "10*3/uL", "k/uL": "10*3/uL", "K/mcL": "10*3/uL", "K/mm3": "10*3/uL", "K/cumm": "10*3/uL",
	"10^3/uL": "10*3/uL", "10^3/ul": "10*3/uL", "10*3/ul": "10*3/uL", "10^3/mcL": "10*3/uL",
	"x10E3/uL": "10*3/uL", "X10E3/uL": "10*3/uL", "10E3/uL": "10*3/uL", "10e3/uL": "10*3/uL", "x10^3/uL": "10*3/uL", "x10(3)/uL": "10*3/uL",
	"thou/uL": "10*3/uL", "Thou/uL": "10*3/uL", "THOU/UL": "10*3/uL", "thousand/uL": "10*3/uL", "Thousand/uL": "10*3/uL",
	"M/uL": "10*6/uL", "M/ul": "10*6/uL", "M/mcL": "10*6/uL", "M/mm3": "10*6/uL", "M/cumm": "10*6/uL",
	"10^6/uL": "10*6/uL", "10^6/ul": "10*6/uL", "10*6/ul": "10*6/uL", "x10E6/uL": "10*6/uL", "X10E6/uL": "10*6/uL", "10E6/uL": "10*6/uL", "10e6/uL": "10*6/uL", "x10^6/uL": "10*6/uL",
	"mill/uL": "10*6/uL", "million/uL": "10*6/uL", "Million/uL": "10*6/uL",
	"10^9/L": "10*9/L", "10^9/l": "10*9/L", "10*9/l": "10*9/L", "x10^9/L": "10*9/L", "x10*9/L": "10*9/L", "x10E9/L": "10*9/L", "10E9/L": "10*9/L", "10e9/L": "10*9/L",
	"10^12/L": "10*12/L", "10^12/l": "10*12/L", "x10^12/L": "10*12/L", "x10E12/L": "10*12/L", "10E12/L": "10*12/L", "10e12/L": "10*12/L",
	"cells/uL": "{cells}/uL", "cells/ul": "{cells}/uL", "cells/mcL": "{cells}/uL", "/cumm": "/mm3", "cells/cumm": "{cells}/mm3",
	"/HPF": "/[HPF]", "/hpf": "/[HPF]", "/LPF": "/[LPF]", "/lpf": "/[LPF]",
	"copies/mL": "{copies}/mL", "copies/ml": "{copies}/mL", "CFU/mL": "[CFU]/mL", "CFU/ml": "[CFU]/mL",

	// Enzymes and international units.
	"U/l": "U/L", "u/L": "U/L", "u/l": "U/L", "U/ml": "U/mL",
	"IU": "[IU]", "IU/L": "[IU]/L", "IU/l": "[IU]/L", "IU/mL": "[IU]/mL", "IU/ml": "[IU]/mL",
	"mIU/L": "m[IU]/L", "mIU/mL": "m[IU]/mL", "mIU/ml": "m[IU]/mL", "uIU/mL": "u[IU]/mL", "uIU/ml": "u[IU]/mL", "kIU/L": "k[IU]/L",

	// Clearance, doses, collections.
	"mL/min/1.73m2": "mL/min/{1.73_m2}", "mL/min/1.73 m2": "mL/min/{1.73_m2}", "ml/min/1.73m2": "mL/min/{1.73_m2}",
	"ml/min/1.73 m2": "mL/min/{1.73_m2}", "mL/min/1.73m^2": "mL/min/{1.73_m2}", "mL/min/1.73m²": "mL/min/{1.73_m2}",
	"mL/min/1.73_m2": "mL/min/{1.73_m2}", "mL/min/{1.73 m2}": "mL/min/{1.73_m2}", "mL/min/{1.73m2}": "mL/min/{1.73_m2}",
	"ml/min": "mL/min", "mL/hr": "mL/h", "ml/hr": "mL/h", "ml/h": "mL/h", "cc/hr": "mL/h", "mL/kg/hr": "mL/kg/h",
	"mm/hr": "mm/h", "MM/HR": "mm/h", "mm/hour": "mm/h",
	"mcg/min": "ug/min", "mcg/hr": "ug/h", "mcg/h": "ug/h", "mcg/kg/min": "ug/kg/min", "mg/hr": "mg/h",
	"mg/24h": "mg/(24.h)", "mg/24hr": "mg/(24.h)", "mg/24 h": "mg/(24.h)", "g/24h": "g/(24.h)", "g/24hr": "g/(24.h)", "mL/24h": "mL/(24.h)",
	"lpm": "L/min", "LPM": "L/min",

	// Numbers.
	"percent": "%", "Percent": "%", "pct": "%", "ratio": "1", "Ratio": "1", "fraction": "1",
	"ppm": "[ppm]", "INR": "{INR}",
	"(score)": "{score}", "score": "{score}", "{T score}": "{T-score}", "T-score": "{T-score}", "(count)": "{count}", "count": "{count}", "(nominal)": "{nominal}",
}
