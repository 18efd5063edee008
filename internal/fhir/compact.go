package fhir

import (
	"bytes"
	"sync"
	"unicode/utf8"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Compact maps one compact observation, whose format the package documentation gives, to its patient
// and its one fact. The error, where there is one, is an ErrorList. Facts of the same code and unit
// share their stream's codes and their detail, which nobody may change.
func (d *Decoder) Compact(line []byte) (patient string, a clinical.Assertion, err error) {
	var c compactLine
	if f := d.readCompact(line, &c); f != nil {
		return "", clinical.Assertion{}, ErrorList{f}
	}
	patient = string(c.patient)
	if f := d.checkPatientID("patient", patient); f != nil {
		return "", clinical.Assertion{}, ErrorList{f}
	}
	statement, f := d.statement(&c)
	if f != nil {
		return patient, clinical.Assertion{}, ErrorList{f}
	}
	if len(c.id) > 0 {
		a.Resource = observationPrefix + string(c.id)
	}
	a.Facts = []clinical.Fact{{Stream: statement.stream, Time: c.at, End: c.at, Number: c.number, Detail: statement.detail}}
	return patient, a, nil
}

// compactLine is a line on its way to a fact. Its slices lie in the line, or in a copy where the line
// has escapes.
type compactLine struct {
	patient, code, unit, id, text []byte
	at                            clinical.Instant
	number                        float64
	precision                     clinical.Precision
	kind                          clinical.ValueType
	timed                         bool
}

const observationPrefix = "Observation/"

// statement is what compact facts of one code and unit have in common.
type statement struct {
	stream clinical.Stream
	detail *clinical.Detail
}

// compactCache keeps the statements seen, so that a monitor's thousandth reading costs no more than its
// numbers. It holds mostStatements; what comes after is built anew each time.
type compactCache struct {
	mu         sync.RWMutex
	statements map[string]statement
}

const mostStatements = 8192

// statement builds, or finds, what the line's fact shares with others.
func (d *Decoder) statement(c *compactLine) (statement, *Fault) {
	if c.kind == clinical.Text {
		return d.newStatement(c)
	}
	var space [160]byte
	key := append(space[:0], byte(c.kind), byte(c.precision), byte(min(len(c.id), 1)))
	key = append(append(append(key, c.unit...), 0), c.code...)
	d.compact.mu.RLock()
	s, ok := d.compact.statements[string(key)]
	d.compact.mu.RUnlock()
	if ok {
		return s, nil
	}
	s, f := d.newStatement(c)
	if f != nil {
		return s, f
	}
	d.compact.mu.Lock()
	defer d.compact.mu.Unlock()
	if d.compact.statements == nil {
		d.compact.statements = map[string]statement{}
	}
	if len(d.compact.statements) < mostStatements {
		d.compact.statements[string(key)] = s
	}
	return s, nil
}

func (d *Decoder) newStatement(c *compactLine) (statement, *Fault) {
	unit := string(c.unit)
	if unit != "" && d.options.KnownUnit != nil && !d.options.KnownUnit(unit) {
		return statement{}, newFault(UnknownUnit, "unit", "this unit is not known", "use a unit of UCUM, as in mg/dL or 10*3/uL")
	}
	system, code := "", string(c.code)
	if i := bytes.LastIndexByte(c.code, '|'); i >= 0 {
		system, code = code[:i], code[i+1:]
	}
	return statement{
		stream: clinical.NewStream(clinical.KindObservation, clinical.NewCode(system, code)),
		detail: &clinical.Detail{Type: c.kind, Precision: c.precision, Unnamed: len(c.id) == 0, Unit: unit, Text: string(c.text),
			Attributes: []clinical.Attribute{{Name: clinical.AttrStatus, Codes: []clinical.Code{"final"}}}},
	}, nil
}

// readCompact scans the line into c and checks that everything needed is there.
func (d *Decoder) readCompact(line []byte, c *compactLine) *Fault {
	if len(line) > d.options.MaxBytes {
		return d.check(line)
	}
	if !utf8.Valid(line) {
		return newFault(InvalidUTF8, "", "the line is not valid UTF-8", "send it in the encoding UTF-8")
	}
	p := scanner{line: line}
	if f := p.object(d, c); f != nil {
		return f
	}
	switch {
	case len(c.patient) == 0:
		return newFault(NoPatient, "patient", "the observation names no patient", `add "patient"`)
	case len(c.code) == 0:
		return missingMember("code")
	case !c.timed:
		return missingMember("time")
	case c.kind == clinical.NoValue:
		return missingMember("value")
	}
	return nil
}

func missingMember(name string) *Fault {
	return newFault(MissingElement, name, "the observation has no "+name, `add "`+name+`"`)
}
