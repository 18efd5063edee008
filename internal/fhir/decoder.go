package fhir

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Options sets a Decoder's limits and what it needs to know of its surroundings. The zero value works.
type Options struct {
	Zone         *time.Location // of dates and times that state none; nil means UTC
	MaxDepth     int            // levels of JSON nesting; 0 means 64
	MaxBytes     int            // of one input; 0 means 16 MiB
	MaxPatientID int            // bytes of a patient id; 0 means 64, FHIR's own limit

	// KnownUnit says whether the unit of an observation's value can be worked with; nil accepts any. It
	// is called from many goroutines. Units of doses are kept as sent and not asked about, since FHIR
	// lets them be words ("tablet").
	KnownUnit func(unit string) bool

	// Medication gives the codes of a Medication that came in an earlier input, by "Medication/" and its
	// id; none where it is not known. nil knows none. It is called from many goroutines; what it returns
	// is not changed.
	Medication func(reference string) []clinical.Code
}

// Decoder maps FHIR to facts. It may be used by any number of goroutines at once.
type Decoder struct {
	options Options
	compact compactCache
}

// New makes a Decoder.
func New(o Options) *Decoder {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.MaxDepth <= 0 {
		o.MaxDepth = 64
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 16 << 20
	}
	if o.MaxPatientID <= 0 {
		o.MaxPatientID = 64
	}
	return &Decoder{options: o}
}

// Why a resource that was taken states no facts, besides the statuses of FHIR that say so.
const (
	NoFactsForType   = "no-facts-for-type"  // a type of R4 that the mapping has no facts for
	NoPatientStated  = "no-patient-stated"  // a Device in stock: FHIR lets it have no patient
	EnteredInError   = "entered-in-error"   // status or verificationStatus
	StatusStatesNone = "status-states-none" // draft, cancelled, declined: nothing has come of it
)

// Mapped is one resource's patient and what it states. The caller owns it; the details in its facts
// are shared and must not be changed.
type Mapped struct {
	Patient   string // "" for a type that is about no patient
	Type, ID  string
	Assertion clinical.Assertion
	Counted   string // why it states no facts, as one fixed word; "" when it states some
}

// DateUndated gives the facts that state no time of their own the instant at which the log learned of
// them: no earlier time is certain. Birth dates that are not known stay so.
func (m *Mapped) DateUndated(recorded clinical.Instant) {
	for i := range m.Assertion.Facts {
		f := &m.Assertion.Facts[i]
		if f.Time != clinical.Never || f.Stream.Kind == clinical.KindPatient {
			continue
		}
		f.Time = recorded
		if f.End == clinical.Never {
			f.End = recorded
		}
	}
}

// Resource maps the JSON of one resource. A resource without an id is known by a hash of its bytes, so
// that the same one sent twice is one resource; a Patient without an id by its first identifier. The
// error, where there is one, is an ErrorList of every fault found. Mapped then still names the type, id
// and patient as far as they were understood.
func (d *Decoder) Resource(data []byte) (Mapped, error) {
	if f := d.check(data); f != nil {
		return Mapped{}, ErrorList{f}
	}
	name := resourceType(data)
	element, known := patientElements[name]
	if !known || name == "Bundle" {
		return Mapped{}, ErrorList{notAResource(data, name)}
	}
	m := &mapper{d: d, data: data, root: name, out: Mapped{Type: name}}
	if mapping, ok := mappings[name]; ok {
		mapping(m)
		m.modify()
	} else {
		m.withoutFacts(element)
	}
	if len(m.faults) > 0 {
		m.out.Assertion.Facts = nil
		return m.out, m.faults
	}
	return m.out, nil
}

// mappings has the way from each resource type to its facts.
var mappings = map[string]func(*mapper){
	"AllergyIntolerance":       (*mapper).allergy,
	"CarePlan":                 (*mapper).carePlan,
	"Condition":                (*mapper).condition,
	"Device":                   (*mapper).device,
	"DeviceRequest":            (*mapper).order,
	"DeviceUseStatement":       (*mapper).deviceUse,
	"DiagnosticReport":         (*mapper).report,
	"Encounter":                (*mapper).encounter,
	"Immunization":             (*mapper).immunization,
	"MedicationAdministration": (*mapper).medicationAdministration,
	"MedicationDispense":       (*mapper).medicationDispense,
	"MedicationRequest":        (*mapper).medicationRequest,
	"MedicationStatement":      (*mapper).medicationStatement,
	"Observation":              (*mapper).observation,
	"Patient":                  (*mapper).patientResource,
	"Procedure":                (*mapper).procedure,
	"ServiceRequest":           (*mapper).order,
}

// notAResource says why data, whose resourceType is name, cannot be mapped.
func notAResource(data []byte, name string) *Fault {
	var anything json.RawMessage
	if f := decode(data, "", &anything); f != nil {
		return f
	}
	switch {
	case name == "Bundle":
		return newFault(UnknownType, "Bundle", "a Bundle stands where one resource belongs", "send its entries one by one")
	case name == "":
		return newFault(UnknownType, "resourceType", "the resourceType is missing", "send one FHIR R4 resource")
	}
	mend := "see the list of resources in FHIR R4"
	if near := nearestType(name); near != "" {
		mend = "did you mean " + near + "?"
	}
	return newFault(UnknownType, "resourceType", "this is not a resource type of FHIR R4", mend)
}

// mapper holds one resource on its way to facts.
type mapper struct {
	d        *Decoder
	data     []byte
	root     string // the resource type, which leads every place
	header   header
	authored clinical.Instant // when the resource says it was written down; 0 when it does not
	notDone  bool             // what the resource speaks of was not done
	out      Mapped
	faults   ErrorList
}

func (m *mapper) fault(reason Reason, element, problem, mend string) {
	m.faults = append(m.faults, newFault(reason, join(m.root, element), problem, mend))
}

// decode reads the resource into r, whose header is h, and takes id and version from it; false when
// there is nothing to go on with.
func (m *mapper) decode(r any, h *header) bool {
	if f := decode(m.data, m.root, r); f != nil {
		m.faults = append(m.faults, f)
		return false
	}
	m.header = *h
	m.out.ID = h.ID
	if m.out.ID == "" && m.root != "Patient" {
		m.out.ID = contentID(m.data)
	}
	m.out.Assertion.Resource = m.root + "/" + m.out.ID
	if n, err := strconv.ParseInt(h.Meta.VersionID, 10, 64); err == nil && n > 0 {
		m.out.Assertion.Version.Number = n
	}
	if t, _, ok := m.time("meta.lastUpdated", h.Meta.LastUpdated); ok {
		m.out.Assertion.Version.Updated = t
	}
	return true
}

// withoutFacts takes note of a resource of a type that states no facts. element is where the type
// refers to its patient, if it does.
func (m *mapper) withoutFacts(element string) {
	var r struct {
		header
		Subject     json.RawMessage `json:"subject"`
		Patient     json.RawMessage `json:"patient"`
		Beneficiary json.RawMessage `json:"beneficiary"`
		Individual  json.RawMessage `json:"individual"`
		Candidate   json.RawMessage `json:"candidate"`
		For         json.RawMessage `json:"for"`
	}
	if !m.decode(&r, &r.header) {
		return
	}
	m.out.Counted = NoFactsForType
	raw := map[string]json.RawMessage{"subject": r.Subject, "patient": r.Patient, "beneficiary": r.Beneficiary,
		"individual": r.Individual, "candidate": r.Candidate, "for": r.For}[element]
	var ref reference
	if len(raw) == 0 || json.Unmarshal(raw, &ref) != nil {
		return
	}
	patient, f := m.d.patientOf(join(m.root, element), &ref, m.header.Contained)
	switch {
	case f == nil:
		m.out.Patient = patient
	case f.Reason == PatientIDTooLong || f.Reason == InvalidPatientID:
		m.faults = append(m.faults, f)
	}
}

// subject finds whose resource it is.
func (m *mapper) subject(element string, ref *reference) {
	patient, f := m.d.patientOf(join(m.root, element), ref, m.header.Contained)
	if f != nil {
		m.faults = append(m.faults, f)
		return
	}
	m.out.Patient = patient
}

// retract leaves the resource without facts, and says why.
func (m *mapper) retract(why string) { m.out.Counted = why }

// fact states one fact. d is the mapper's from here on.
func (m *mapper) fact(kind clinical.Kind, codes []clinical.Code, s span, number float64, d *clinical.Detail) {
	d.Precision = s.precision
	m.out.Assertion.Facts = append(m.out.Assertion.Facts, clinical.Fact{
		Stream:   clinical.NewStream(kind, codes...),
		Time:     s.start,
		End:      s.end,
		Authored: m.authored,
		Number:   number,
		Detail:   d,
	})
}

// need faults an element that FHIR R4 requires and facts cannot do without.
func (m *mapper) need(element string, present bool) {
	if !present {
		m.fault(MissingElement, element, "the element is missing", "FHIR R4 requires it; state it")
	}
}

// contentID names a resource that has no id by its bytes.
func contentID(data []byte) string {
	sum := sha256.Sum256(data)
	return "content-" + hex.EncodeToString(sum[:16])
}
