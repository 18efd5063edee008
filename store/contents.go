package store

// Entry is one key of a partition with its value.
type Entry struct {
	Family     string // what the key is one of, in words: "rows", "facts", "timers"
	Key, Value []byte // only valid until the function that is given the entry returns
	// Derived says that the log alone decides whether the entry is there and what it holds. Of an alert that
	// is to be sent, and of goka's place in its changelog, it does not.
	Derived bool
}

// Contents calls f with everything that the partition holds as of one commit, in the order of its keys,
// until f returns an error. It is for comparing: two partitions that applied the same log have the same
// derived entries, byte for byte.
func (p *Partition) Contents(f func(Entry) error) error {
	if err := p.store.gate.enter(); err != nil {
		return err
	}
	defer p.store.gate.leave()
	lower, upper := appendFamily(nil, p.number, 0), appendFamily(nil, p.number, 0xff)
	return p.entries(familyState, lower, upper, func(key, value []byte) (bool, error) {
		family := key[2]
		if family == familyPatient {
			if _, rest, ok := splitPatientKey(key); ok && len(rest) > 0 {
				family = rest[0]
			}
		}
		return true, f(Entry{Family: familyNames[family], Key: key, Value: value, Derived: family != familyOutbox && family != familyGoka})
	})
}
