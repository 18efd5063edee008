package record

func (w *writer) explanation(e *Explanation) {
	w.open()
	w.whole("schema", int64(e.Schema))
	w.text("kind", string(e.Kind))
	w.text("id?", e.ID)
	w.text("patient", e.Patient)
	one(w, "rule", &e.Rule, (*writer).rule)
	one(w, "ruleSet", &e.RuleSet, (*writer).ruleSet)
	w.instant("at", &e.At)
	w.text("truth", string(e.Truth))
	w.text("before?", string(e.Before))
	w.instant("since?", e.Since)
	one(w, "cause?", e.Cause, (*writer).cause)
	one(w, "known", &e.Known, (*writer).known)
	w.text("message?", e.Message)
	one(w, "tree", e.Tree, (*writer).node)
	each(w, "terms", e.Terms, (*writer).term)
	each(w, "facts", e.Facts, (*writer).fact)
	w.places("suffices", e.Suffices)
	each(w, "missing?", e.Missing, (*writer).missing)
	one(w, "miss?", e.Miss, (*writer).miss)
	one(w, "next?", e.Next, (*writer).next)
	w.whole("sequence?", e.Sequence)
	w.text("previous?", e.Previous)
	one(w, "period?", e.Period, (*writer).period)
	w.text("hash?", e.Hash)
	w.shut()
}

func (w *writer) rule(r *Rule) {
	w.open()
	w.text("id", r.ID)
	w.text("pack", r.Pack)
	w.whole("version", int64(r.Version))
	w.text("title", r.Title)
	w.text("severity", r.Severity)
	w.text("source?", r.Source)
	w.text("when", r.When)
	w.shut()
}

func (w *writer) ruleSet(s *RuleSet) {
	w.open()
	w.text("hash", s.Hash)
	w.instant("activated?", s.Activated)
	w.text("position?", s.Position)
	w.text("zone", s.Zone)
	each(w, "valueSets?", s.ValueSets, (*writer).valueSet)
	each(w, "parameters?", s.Parameters, (*writer).parameter)
	w.shut()
}

func (w *writer) parameter(p *Parameter) {
	w.open()
	w.text("name", p.Name)
	w.text("pack", p.Pack)
	w.text("title?", p.Title)
	w.value("value?", &p.Value)
	w.value("default?", &p.Default)
	w.text("unit?", p.Unit)
	w.bool("site?", p.Site)
	w.shut()
}

func (w *writer) valueSet(s *ValueSet) {
	w.open()
	w.text("name", s.Name)
	w.text("url?", s.URL)
	w.text("version?", s.Version)
	w.whole("codes", int64(s.Codes))
	w.text("hash", s.Hash)
	w.shut()
}

func (w *writer) cause(c *Cause) {
	w.open()
	w.text("kind", string(c.Kind))
	w.text("position?", c.Position)
	each(w, "facts?", c.Facts, (*writer).fact)
	each(w, "gone?", c.Gone, (*writer).fact)
	w.shut()
}

func (w *writer) known(k *Known) {
	w.open()
	w.text("position", k.Position)
	w.instant("clock", &k.Clock)
	w.shut()
}

func (w *writer) period(p *Period) {
	w.open()
	w.text("input", p.Input)
	w.text("pack?", p.Pack)
	w.instant("start", &p.Start)
	w.instant("end", &p.End)
	w.places("facts", p.Facts)
	w.shut()
}

func (w *writer) node(n *Node) {
	w.open()
	w.text("op", n.Op)
	w.text("source", n.Source)
	w.whole("n?", int64(n.N))
	w.bool("boolean", n.Boolean)
	w.text("truth?", string(n.Truth))
	w.value("value?", &n.Value)
	w.whole("term", int64(n.Term))
	w.bool("decides", n.Decides)
	each(w, "kids?", n.Kids, (*writer).node)
	w.number("least?", n.Least)
	w.number("greatest?", n.Greatest)
	w.shut()
}

func (w *writer) term(t *Term) {
	w.open()
	w.text("source", t.Source)
	w.text("op", t.Op)
	w.text("input", t.Input)
	w.text("pack?", t.Pack)
	w.text("unit?", t.Unit)
	w.text("where?", t.Where)
	one(w, "window?", t.Window, (*writer).window)
	w.value("value?", &t.Value)
	w.whole("saw", int64(t.Saw))
	each(w, "uses", t.Uses, (*writer).use)
	one(w, "latest?", t.Latest, (*writer).use)
	w.shut()
}

func (w *writer) window(x *Window) {
	w.open()
	w.text("text", x.Text)
	w.instant("from?", x.From)
	w.instant("to", &x.To)
	w.shut()
}

func (w *writer) use(u *Use) {
	w.open()
	w.whole("fact", int64(u.Fact))
	w.value("value?", &u.Value)
	w.shut()
}

func (w *writer) fact(f *Fact) {
	w.open()
	w.text("kind", f.Kind)
	w.texts("codes", f.Codes)
	w.value("value?", &f.Value)
	w.text("unit?", f.Unit)
	w.text("status?", f.Status)
	w.instant("time?", f.Time)
	w.instant("end?", f.End)
	w.text("precision", f.Precision)
	w.instant("recorded", &f.Recorded)
	w.text("resource?", f.Resource)
	w.text("version?", f.Version)
	w.text("topic", f.Topic)
	w.whole("partition", int64(f.Partition))
	w.whole("offset", f.Offset)
	w.whole("index", int64(f.Index))
	w.shut()
}

func (w *writer) missing(m *Missing) {
	w.open()
	w.whole("term", int64(m.Term))
	w.text("reason", m.Reason)
	one(w, "latest?", m.Latest, (*writer).fact)
	w.shut()
}

func (w *writer) miss(m *Miss) {
	w.open()
	each(w, "blockers", m.Blockers, (*writer).blocker)
	one(w, "change?", m.Change, (*writer).change)
	w.shut()
}

func (w *writer) blocker(k *Blocker) {
	w.open()
	w.text("source", k.Source)
	w.text("truth", string(k.Truth))
	w.text("wanted", string(k.Wanted))
	w.value("value?", &k.Value)
	w.text("op?", k.Op)
	w.value("threshold?", &k.Threshold)
	w.number("distance?", k.Distance)
	w.number("relative?", k.Relative)
	w.text("unit?", k.Unit)
	w.places("terms", k.Terms)
	each(w, "gains?", k.Gains, (*writer).gain)
	w.shut()
}

func (w *writer) gain(g *Gain) {
	w.open()
	w.text("source", g.Source)
	w.number("points", &g.Points)
	w.shut()
}

func (w *writer) change(c *Change) {
	w.open()
	w.text("kind", string(c.Kind))
	w.text("input", c.Input)
	w.value("value?", &c.Value)
	w.text("unit?", c.Unit)
	one(w, "fact?", c.Fact, (*writer).fact)
	w.text("text", c.Text)
	w.shut()
}

func (w *writer) next(n *Next) {
	w.open()
	w.instant("at", &n.At)
	w.text("truth", string(n.Truth))
	w.shut()
}

func (w *writer) delta(d *Delta) {
	w.open()
	w.text("what", d.What)
	w.text("source?", d.Source)
	w.value("before?", &d.Before)
	w.value("after?", &d.After)
	one(w, "fact?", d.Fact, (*writer).fact)
	w.shut()
}
