package record

func (m *Missing) appendTo(b []byte) []byte {
	b = appendSigned(b, 1, m.Term)
	b = appendString(b, 2, m.Reason)
	return appendOptional(b, 3, m.Latest)
}

func (m *Missing) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			m.Term = in.int()
		case 2:
			m.Reason = in.string()
		case 3:
			m.Latest = readNew[Fact](&in)
		}
	}
}

func (m *Miss) appendTo(b []byte) []byte {
	b = appendMessages(b, 1, m.Blockers)
	return appendOptional(b, 2, m.Change)
}

func (m *Miss) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			m.Blockers = readInto(m.Blockers, &in)
		case 2:
			m.Change = readNew[Change](&in)
		}
	}
	m.Blockers = list(m.Blockers)
}

func (k *Blocker) appendTo(b []byte) []byte {
	b = appendString(b, 1, k.Source)
	b = appendString(b, 2, k.Truth)
	b = appendString(b, 3, k.Wanted)
	b = appendValue(b, 4, &k.Value)
	b = appendString(b, 5, k.Op)
	b = appendValue(b, 6, &k.Threshold)
	b = appendDouble(b, 7, k.Distance)
	b = appendDouble(b, 8, k.Relative)
	b = appendString(b, 9, k.Unit)
	b = appendPlaces(b, 10, k.Terms)
	return appendMessages(b, 11, k.Gains)
}

func (k *Blocker) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			k.Source = in.string()
		case 2:
			k.Truth = Truth(in.string())
		case 3:
			k.Wanted = Truth(in.string())
		case 4:
			k.Value.read(in.message())
		case 5:
			k.Op = in.string()
		case 6:
			k.Threshold.read(in.message())
		case 7:
			k.Distance = pointer(in.double())
		case 8:
			k.Relative = pointer(in.double())
		case 9:
			k.Unit = in.string()
		case 10:
			k.Terms = in.places(k.Terms)
		case 11:
			k.Gains = readInto(k.Gains, &in)
		}
	}
	k.Terms = list(k.Terms)
}

func (g *Gain) appendTo(b []byte) []byte {
	b = appendString(b, 1, g.Source)
	return appendDouble(b, 2, &g.Points)
}

func (g *Gain) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			g.Source = in.string()
		case 2:
			g.Points = in.double()
		}
	}
}

func (c *Change) appendTo(b []byte) []byte {
	b = appendString(b, 1, c.Kind)
	b = appendString(b, 2, c.Input)
	b = appendValue(b, 3, &c.Value)
	b = appendString(b, 4, c.Unit)
	b = appendOptional(b, 5, c.Fact)
	return appendString(b, 6, c.Text)
}

func (c *Change) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			c.Kind = ChangeKind(in.string())
		case 2:
			c.Input = in.string()
		case 3:
			c.Value.read(in.message())
		case 4:
			c.Unit = in.string()
		case 5:
			c.Fact = readNew[Fact](&in)
		case 6:
			c.Text = in.string()
		}
	}
}

func (n *Next) appendTo(b []byte) []byte {
	b = appendSigned(b, 1, n.At)
	return appendString(b, 2, n.Truth)
}

func (n *Next) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			n.At = Instant(in.signed())
		case 2:
			n.Truth = Truth(in.string())
		}
	}
}
