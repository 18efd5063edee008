package lint

// usual is what results of one LOINC code are like: the unit that LOINC gives as the code's example UCUM unit,
// and the range, in that unit, beyond which a number is a slip of the pen rather than a finding. The ranges are
// wide on purpose: they hold what laboratories have reported of living patients, newborns included, and leave
// room for the limits of what analysers measure.
type usual struct {
	name      string
	unit      string
	low, high float64
}

// usuals are the codes that packs use most. Names, properties (mass or substance concentration) and example
// units are those of the LOINC table (https://loinc.org, Regenstrief Institute).
var usuals = map[string]usual{
	// Kidney and electrolytes
	"2160-0":  {"creatinine, mass concentration", "mg/dL", 0.05, 60},
	"38483-4": {"creatinine in blood, mass concentration", "mg/dL", 0.05, 60},
	"14682-9": {"creatinine, substance concentration", "umol/L", 4, 5300},
	"33914-3": {"estimated glomerular filtration rate (MDRD)", "mL/min/{1.73_m2}", 0, 300},
	"48642-3": {"estimated glomerular filtration rate", "mL/min/{1.73_m2}", 0, 300},
	"62238-1": {"estimated glomerular filtration rate (CKD-EPI)", "mL/min/{1.73_m2}", 0, 300},
	"98979-8": {"estimated glomerular filtration rate (CKD-EPI 2021)", "mL/min/{1.73_m2}", 0, 300},
	"3094-0":  {"urea nitrogen, mass concentration", "mg/dL", 0.5, 400},
	"22664-7": {"urea, substance concentration", "mmol/L", 0.1, 150},
	"2823-3":  {"potassium", "mmol/L", 0.5, 15},
	"6298-4":  {"potassium in blood", "mmol/L", 0.5, 15},
	"2951-2":  {"sodium", "mmol/L", 80, 220},
	"2947-0":  {"sodium in blood", "mmol/L", 80, 220},
	"2075-0":  {"chloride", "mmol/L", 40, 180},
	"1963-8":  {"bicarbonate", "mmol/L", 1, 80},
	"2028-9":  {"carbon dioxide, total", "mmol/L", 1, 80},
	"17861-6": {"calcium, mass concentration", "mg/dL", 1, 30},
	"2000-8":  {"calcium, substance concentration", "mmol/L", 0.25, 7.5},
	"19123-9": {"magnesium, mass concentration", "mg/dL", 0.1, 30},
	"2601-3":  {"magnesium, substance concentration", "mmol/L", 0.04, 12},
	"2777-1":  {"phosphate, mass concentration", "mg/dL", 0.1, 40},
	// Glucose and diabetes
	"2345-7":  {"glucose, mass concentration", "mg/dL", 1, 3000},
	"2339-0":  {"glucose in blood, mass concentration", "mg/dL", 1, 3000},
	"41653-7": {"glucose in capillary blood, mass concentration", "mg/dL", 1, 3000},
	"14749-6": {"glucose, substance concentration", "mmol/L", 0.05, 170},
	"15074-8": {"glucose in blood, substance concentration", "mmol/L", 0.05, 170},
	"4548-4":  {"haemoglobin A1c, fraction", "%", 2, 25},
	"17856-6": {"haemoglobin A1c by HPLC, fraction", "%", 2, 25},
	"59261-8": {"haemoglobin A1c (IFCC), substance ratio", "mmol/mol", 0, 250},
	// Blood gases and lactate
	"2524-7":  {"lactate", "mmol/L", 0, 50},
	"32693-4": {"lactate in blood", "mmol/L", 0, 50},
	"2518-9":  {"lactate in arterial blood", "mmol/L", 0, 50},
	"2019-8":  {"carbon dioxide pressure in arterial blood", "mm[Hg]", 1, 300},
	"2703-7":  {"oxygen pressure in arterial blood", "mm[Hg]", 1, 800},
	// Blood count and coagulation
	"718-7":   {"haemoglobin, mass concentration", "g/dL", 0.5, 30},
	"59260-0": {"haemoglobin, substance concentration", "mmol/L", 0.3, 19},
	"4544-3":  {"haematocrit", "%", 1, 90},
	"6690-2":  {"leukocytes", "10*3/uL", 0, 2000},
	"26464-8": {"leukocytes", "10*3/uL", 0, 2000},
	"751-8":   {"neutrophils", "10*3/uL", 0, 1000},
	"777-3":   {"platelets", "10*3/uL", 0, 6000},
	"26515-7": {"platelets", "10*3/uL", 0, 6000},
	"6301-6":  {"INR", "{INR}", 0.3, 50},
	"34714-6": {"INR", "{INR}", 0.3, 50},
	"5902-2":  {"prothrombin time", "s", 3, 600},
	"14979-9": {"activated partial thromboplastin time", "s", 5, 600},
	"3255-7":  {"fibrinogen", "mg/dL", 1, 3000},
	// Liver, protein, inflammation
	"1975-2":  {"bilirubin, mass concentration", "mg/dL", 0, 120},
	"14631-6": {"bilirubin, substance concentration", "umol/L", 0, 2100},
	"1742-6":  {"alanine aminotransferase", "U/L", 0, 60000},
	"1920-8":  {"aspartate aminotransferase", "U/L", 0, 60000},
	"6768-6":  {"alkaline phosphatase", "U/L", 0, 20000},
	"1751-7":  {"albumin, mass concentration", "g/dL", 0.1, 9},
	"2885-2":  {"protein, mass concentration", "g/dL", 0.5, 20},
	"1988-5":  {"C-reactive protein", "mg/L", 0, 1500},
	"33959-8": {"procalcitonin", "ng/mL", 0, 5000},
	// Heart, lipids, hormones, drugs
	"6598-7":  {"troponin T", "ug/L", 0, 1000},
	"10839-9": {"troponin I", "ng/mL", 0, 5000},
	"42637-9": {"natriuretic peptide B", "pg/mL", 0, 100000},
	"33762-6": {"NT-proBNP", "pg/mL", 0, 500000},
	"2093-3":  {"cholesterol, mass concentration", "mg/dL", 5, 3000},
	"2085-9":  {"HDL cholesterol, mass concentration", "mg/dL", 0, 400},
	"13457-7": {"LDL cholesterol (calculated), mass concentration", "mg/dL", 0, 2500},
	"18262-6": {"LDL cholesterol, mass concentration", "mg/dL", 0, 2500},
	"2571-8":  {"triglyceride, mass concentration", "mg/dL", 1, 30000},
	"3016-3":  {"thyrotropin", "m[IU]/L", 0, 1500},
	"10535-3": {"digoxin", "ng/mL", 0, 100},
	"14334-7": {"lithium", "mmol/L", 0, 20},
	// Vital signs and measures
	"8480-6":  {"systolic blood pressure", "mm[Hg]", 10, 400},
	"8462-4":  {"diastolic blood pressure", "mm[Hg]", 0, 350},
	"8478-0":  {"mean blood pressure", "mm[Hg]", 5, 370},
	"8867-4":  {"heart rate", "/min", 0, 500},
	"9279-1":  {"respiratory rate", "/min", 0, 200},
	"8310-5":  {"body temperature", "Cel", 10, 50},
	"8331-1":  {"oral temperature", "Cel", 10, 50},
	"59408-5": {"oxygen saturation by pulse oximetry", "%", 0, 100},
	"2708-6":  {"oxygen saturation in arterial blood", "%", 0, 100},
	"3151-8":  {"inhaled oxygen flow rate", "L/min", 0, 200},
	"29463-7": {"body weight", "kg", 0.2, 700},
	"3141-9":  {"body weight, measured", "kg", 0.2, 700},
	"8302-2":  {"body height", "cm", 15, 290},
	"39156-5": {"body mass index", "kg/m2", 3, 260},
	"9269-2":  {"Glasgow coma score, total", "{score}", 3, 15},
}
