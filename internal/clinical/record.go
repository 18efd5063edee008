package clinical

// Version orders the versions of one resource. Zero fields are unknown.
type Version struct {
	Number  int64   // meta.versionId where it is a whole number
	Updated Instant // meta.lastUpdated
}

// Order says how a newly arrived version stands to the one held: by Number where both have one, else
// by Updated where both have one, else the later in the log is the newer.
type Order int8

const (
	Older Order = -1
	Same  Order = 0
	Newer Order = 1
)

// Compare says how v, just arrived, stands to held. Same means that both carry the same version
// number; equal lastUpdated instants without numbers count as Newer, since the contents decide.
func (v Version) Compare(held Version) Order {
	switch {
	case v.Number != 0 && held.Number != 0:
		switch {
		case v.Number < held.Number:
			return Older
		case v.Number == held.Number:
			return Same
		}
		return Newer
	case v.Updated != 0 && held.Updated != 0 && v.Updated < held.Updated:
		return Older
	}
	return Newer
}

// Assertion says: Resource, in this version, now states exactly these facts. It replaces whatever the
// resource stated before; no facts retracts it (deleted, entered in error, cancelled).
//
// A monitor's observation has no resource of its own: Resource is empty, it states one fact, whose Detail
// is Unnamed, and it replaces the Unnamed fact of the same stream and time.
type Assertion struct {
	Resource string // "Observation/123"
	Version  Version
	Facts    []Fact
}

// Record is one entry of the facts log. Exactly one of these holds: it has Assertions (perhaps none,
// with Refusal saying why), or Tick is true, or Activation is set.
type Record struct {
	Patient     string
	Recorded    Instant // when the log learned of it, stamped by intake; the partition clock is the running maximum
	EventOffset int64   // offset of the events record in the same partition that this one answers; -1 for control records
	Assertions  []Assertion
	Refusal     string      // why the event states nothing: a reason code such as "invalid-json"; "" when it was taken
	Tick        bool        // time has passed and nothing came
	Activation  *Activation // from here on the partition uses this rule set
}

// Activation carries a whole rule set, so that the facts log alone is enough to replay a partition.
type Activation struct {
	Hash  string // rules.Set.Hash
	Files []File
}

// File is one file of a rule set: a pack, or a value set that packs use.
type File struct {
	Name string
	Data []byte
}
