package ward

// background is a kind of patient: why they are here, what they have besides, what they take, and
// where their baselines differ from most people's. The first condition is the reason for admission.
type background struct {
	youngest, oldest int
	conditions       []coding
	drugs            []string
	base             map[sign]float64
	operation        *coding
	diabetic, capped bool
}

var (
	hypertension   = snomed("38341003", "Hypertensive disorder")
	diabetesType2  = snomed("44054006", "Diabetes mellitus type 2")
	diabetesType1  = snomed("46635009", "Diabetes mellitus type 1")
	fibrillation   = snomed("49436004", "Atrial fibrillation")
	heartFailure   = snomed("84114007", "Heart failure")
	kidneyDisease  = snomed("709044004", "Chronic kidney disease")
	pneumonia      = snomed("233604007", "Pneumonia")
	urinary        = snomed("68566005", "Urinary tract infectious disease")
	cellulitis     = snomed("128045006", "Cellulitis")
	obstructive    = snomed("13645005", "Chronic obstructive lung disease")
	hypercapnia    = coding{systemICD, "J96.12", "Chronic respiratory failure with hypercapnia"}
	kneeArthrosis  = snomed("239873007", "Osteoarthritis of knee")
	hipFracture    = snomed("5913000", "Fracture of neck of femur")
	appendicitis   = snomed("85189001", "Acute appendicitis")
	stroke         = snomed("230690007", "Cerebrovascular accident")
	sepsisSyndrome = snomed("91302008", "Sepsis")
	appendectomy   = snomed("80146002", "Excision of appendix")
	haemodialysis  = snomed("302497006", "Hemodialysis")
)

// common are the backgrounds of patients whose stay is uneventful.
var common = []*background{
	{youngest: 55, oldest: 90, conditions: []coding{pneumonia, hypertension}, drugs: []string{"ceftriaxone", "amlodipine", "paracetamol"}, base: map[sign]float64{whiteCells: 9.8, crp: 70, temperature: 37.1, respRate: 17, spo2: 96}},
	{youngest: 66, oldest: 92, conditions: []coding{hipFracture, hypertension}, drugs: []string{"paracetamol", "enoxaparin", "lisinopril"}, base: map[sign]float64{haemoglobin: 10.8, crp: 45}},
	{youngest: 62, oldest: 88, conditions: []coding{heartFailure, fibrillation, hypertension}, drugs: []string{"furosemide", "ramipril", "warfarin"}, base: map[sign]float64{creatinine: 1.1, inr: 2.4, systolic: 122, respRate: 17, spo2: 96}},
	{youngest: 48, oldest: 82, conditions: []coding{cellulitis, diabetesType2, hypertension}, drugs: []string{"metformin", "insulin aspart", "ceftriaxone", "lisinopril"}, base: map[sign]float64{glucose: 165, whiteCells: 9.5, crp: 55}, diabetic: true},
	{youngest: 58, oldest: 84, conditions: []coding{obstructive, hypertension}, drugs: []string{"prednisolone", "amlodipine"}, base: map[sign]float64{respRate: 17.5, spo2: 94.8, heartRate: 84}},
	{youngest: 60, oldest: 84, conditions: []coding{obstructive, hypercapnia}, drugs: []string{"prednisolone", "furosemide"}, base: map[sign]float64{respRate: 18, spo2: 90, heartRate: 86}, capped: true},
	{youngest: 18, oldest: 60, conditions: []coding{appendicitis}, drugs: []string{"paracetamol", "ceftriaxone"}, base: map[sign]float64{whiteCells: 10.2, crp: 50}, operation: &appendectomy},
	{youngest: 60, oldest: 90, conditions: []coding{stroke, hypertension}, drugs: []string{"amlodipine", "enoxaparin"}, base: map[sign]float64{systolic: 142}},
	{youngest: 70, oldest: 94, conditions: []coding{urinary, kidneyDisease}, drugs: []string{"ceftriaxone", "paracetamol"}, base: map[sign]float64{creatinine: 1.5, urea: 30, whiteCells: 9.6, crp: 60}},
	{youngest: 22, oldest: 64, conditions: []coding{diabetesType1, cellulitis}, drugs: []string{"insulin aspart", "insulin glargine"}, base: map[sign]float64{glucose: 175}, diabetic: true},
}

// special are the backgrounds of those who follow an arc.
var special = map[arc]*background{
	sepsis:          {youngest: 50, oldest: 88, conditions: []coding{urinary, hypertension}, drugs: []string{"paracetamol", "amlodipine"}, base: map[sign]float64{whiteCells: 9.5, crp: 60}},
	unrepeated:      {youngest: 45, oldest: 85, conditions: []coding{pneumonia}, drugs: []string{"ceftriaxone", "paracetamol"}, base: map[sign]float64{whiteCells: 10, crp: 80, respRate: 18, heartRate: 84}},
	kidneyInjury:    {youngest: 58, oldest: 86, conditions: []coding{kneeArthrosis, hypertension}, drugs: []string{"paracetamol", "lisinopril", "furosemide"}, base: map[sign]float64{creatinine: 1.0}},
	hyperkalaemia:   {youngest: 60, oldest: 88, conditions: []coding{heartFailure, kidneyDisease, hypertension}, drugs: []string{"ramipril", "spironolactone"}, base: map[sign]float64{creatinine: 1.7, urea: 34, potassium: 4.9}},
	hypoglycaemia:   {youngest: 40, oldest: 84, conditions: []coding{cellulitis, diabetesType2}, drugs: []string{"insulin aspart", "insulin glargine"}, base: map[sign]float64{glucose: 150}, diabetic: true},
	overcoagulation: {youngest: 64, oldest: 90, conditions: []coding{pneumonia, fibrillation}, drugs: []string{"warfarin", "amlodipine"}, base: map[sign]float64{inr: 2.7, crp: 60}},
	digitalis:       {youngest: 68, oldest: 90, conditions: []coding{heartFailure, fibrillation}, drugs: []string{"digoxin", "amiodarone", "furosemide"}, base: map[sign]float64{creatinine: 1.2, potassium: 3.9, heartRate: 72}},
	lowFiltration:   {youngest: 70, oldest: 88, conditions: []coding{kidneyDisease, diabetesType2}, drugs: []string{"metformin", "amlodipine"}, base: map[sign]float64{creatinine: 2.6, urea: 48, glucose: 150}, diabetic: true},
}

// draw picks a background for an arc.
func (p *patient) draw(a arc) *background {
	if b, ok := special[a]; ok {
		return b
	}
	return common[p.rng.IntN(len(common))]
}
