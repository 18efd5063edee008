package api

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
)

// form is how an explanation is written.
type form string

const (
	asJSON     form = "json"
	asHTML     form = "html"
	asText     form = "text"
	asSentence form = "sentence"
)

func (f form) media() string {
	switch f {
	case asHTML:
		return "text/html"
	case asText, asSentence:
		return "text/plain"
	}
	return "application/json"
}

// asked is what GET …/explain/{rule} asks.
type asked struct {
	question replay.Question
	earlier  *replay.Question // what it is compared with; nil: it is not
	event    int64            // wait for this offset of the events log, plus 1; 0 waits for none
	wait     time.Duration
	form     form
}

const (
	mostRuleID = 256     // bytes; no rule of a pack comes near
	mostFacts  = 100_000 // of one window
)

func (s *Server) asked(r *http.Request) (*asked, *refusal) {
	q, refused := knownQuery(r, "period", "at", "known_at", "rule_set", "compare", "compare_known_at", "facts", "min_position", "timeout", "format")
	if refused != nil {
		return nil, refused
	}
	a := &asked{}
	asking := &a.question
	if asking.Patient, refused = s.patient(r.PathValue("id")); refused != nil {
		return nil, refused
	}
	if asking.Rule = r.PathValue("rule"); len(asking.Rule) > mostRuleID {
		return nil, unknownRule(&replay.UnknownRule{})
	}
	asking.Set = q.Get("rule_set")
	if start, ok, refused := queryInstant(q, "period"); refused != nil {
		return nil, refused
	} else if ok {
		asking.Period = &start
	}
	if asking.At, asking.HasAt, refused = queryInstant(q, "at"); refused != nil {
		return nil, refused
	}
	if asking.Known, refused = s.queryKnown(q, "known_at", asking.Patient); refused != nil {
		return nil, refused
	}
	if text := q.Get("facts"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostFacts {
			return nil, badQuery("facts", fmt.Sprintf("use a number from 1 to %d", mostFacts))
		}
		asking.Facts = n
	}
	if a.event, asking.MinPosition, refused = s.queryPosition(q, asking.Patient); refused != nil {
		return nil, refused
	}
	if a.wait, refused = s.queryWait(q); refused != nil {
		return nil, refused
	}
	if a.earlier, refused = s.queryEarlier(q, a.question); refused != nil {
		return nil, refused
	}
	a.form, refused = queryForm(q, r.Header, a.earlier != nil)
	return a, refused
}

// queryEarlier reads the instant to compare with: the same question, asked about it.
func (s *Server) queryEarlier(q url.Values, later replay.Question) (*replay.Question, *refusal) {
	at, ok, refused := queryInstant(q, "compare")
	if refused != nil {
		return nil, refused
	}
	if !ok {
		if q.Has("compare_known_at") {
			return nil, refuse(http.StatusBadRequest, "bad-parameter", "value", "compare_known_at says nothing without compare",
				"give compare, the instant to compare with, too")
		}
		return nil, nil
	}
	earlier := later
	earlier.At, earlier.HasAt = at, true
	if q.Get("compare_known_at") != "" {
		earlier.Known, refused = s.queryKnown(q, "compare_known_at", later.Patient)
	}
	return &earlier, refused
}

// queryForm is what format= asks for, or else the first of the media types that Accept likes best.
func queryForm(q url.Values, header http.Header, comparison bool) (form, *refusal) {
	switch f := form(q.Get("format")); f {
	case asJSON, asHTML, asText:
		return f, nil
	case asSentence:
		if comparison {
			return f, badQuery("format", "a comparison has no sentence: use json, html or text")
		}
		return f, nil
	case "":
		return preferred(strings.Join(header.Values("Accept"), ",")), nil
	}
	return "", badQuery("format", "use json, html, text or sentence")
}

// preferred picks the form of an Accept header: JSON where it names none of ours, or anything.
func preferred(accept string) form {
	best, most := asJSON, 0.0
	for item := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		quality := 1.0
		if text, ok := params["q"]; ok {
			if quality, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		for _, f := range []form{asJSON, asHTML, asText} {
			if media == f.media() && quality > most {
				best, most = f, quality
			}
		}
	}
	return best
}

// patient reads a patient's id.
func (s *Server) patient(id string) (string, *refusal) {
	if len(id) > s.options.MaxPatientID || !patientID.MatchString(id) {
		return "", refuse(http.StatusBadRequest, "bad-patient-id", "value", "no patient can have this id",
			fmt.Sprintf("use at most %d letters, digits, '-', '.' and '_'", s.options.MaxPatientID))
	}
	return id, nil
}

// queryInstant reads a time; ok says whether there is one.
func queryInstant(q url.Values, name string) (at clinical.Instant, ok bool, refused *refusal) {
	text := q.Get(name)
	if text == "" {
		return 0, false, nil
	}
	t, err := parseTime(text)
	if err != nil {
		return 0, false, badQuery(name, "write it as 2026-03-01T10:00:00Z")
	}
	return clinical.At(t), true, nil
}

// parseTime takes a plus sign that was not escaped, and so arrives as a space.
func parseTime(text string) (time.Time, error) {
	return time.Parse(time.RFC3339Nano, strings.ReplaceAll(text, " ", "+"))
}

// queryKnown reads as known when: at a time, or at a position of the patient's partition.
func (s *Server) queryKnown(q url.Values, name, patient string) (known replay.Known, refused *refusal) {
	text := q.Get(name)
	if text == "" {
		return known, nil
	}
	if t, err := parseTime(text); err == nil {
		at := clinical.At(t)
		known.Time = &at
		return known, nil
	}
	p, err := processor.ParsePosition(text)
	if err != nil {
		return known, badQuery(name, "write a time as 2026-03-01T10:00:00Z, or a position as f3.812")
	}
	own := s.options.Partition(patient)
	switch {
	case p.Partition != own:
		return known, refuse(http.StatusBadRequest, "other-partition", "value", name+" is a position in another partition than the patient's",
			fmt.Sprintf("what is known of this patient lies in partition %d: give a position such as %c%d.812", own, p.Log, own))
	case p.Log == processor.EventsLog:
		known.Events = &p.Offset
	default:
		known.Facts = &p.Offset
	}
	return known, nil
}

// queryWait reads how long a read may wait for min_position.
func (s *Server) queryWait(q url.Values) (time.Duration, *refusal) {
	text := q.Get("timeout")
	if text == "" {
		return min(defaultWait, s.options.MaxWait), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, badQuery("timeout", "write it as 500ms or 5s")
	}
	return min(d, s.options.MaxWait), nil
}

// queryPosition reads what a read has to have seen: the offsets of the patient's partition, plus 1; 0
// asks for nothing. Other partitions are about other patients.
func (s *Server) queryPosition(q url.Values, patient string) (events, facts int64, refused *refusal) {
	positions, err := processor.ParsePositions(q.Get("min_position"))
	if err != nil {
		return 0, 0, badQuery("min_position", "give what "+positionHeader+" said, such as e3.812")
	}
	if len(positions) == 0 {
		return 0, 0, nil
	}
	own := s.options.Partition(patient)
	for _, p := range positions {
		switch {
		case p.Partition != own:
		case p.Log == processor.EventsLog:
			events = max(events, p.Offset+1)
		default:
			facts = max(facts, p.Offset+1)
		}
	}
	return events, facts, nil
}
