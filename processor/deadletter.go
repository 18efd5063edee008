package processor

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
)

// The reasons for a dead letter, besides those of package fhir. Each is also the Refusal of the facts
// record that stands for an event of which nothing was taken.
const (
	ReasonRekeyed       = "re-keyed"        // it was about another patient than its key said, and is in the log once more
	ReasonUnknownMedia  = "unknown-media"   // the media header names no type that intake reads
	ReasonUnknownMethod = "unknown-method"  // the method header is none of PUT, POST, DELETE
	ReasonNotARecord    = "not-a-record"    // bytes on the facts log that nobody here wrote
	ReasonWrongPatient  = "wrong-partition" // a facts record that lies where its patient does not belong
)

// DeadLetter is the JSON of one record of the dead-letter topic: something that was refused, and why.
// Every text but Body is free of patients' data.
type DeadLetter struct {
	Reason    string `json:"reason"`
	Place     string `json:"place,omitempty"`
	Problem   string `json:"problem"`
	Mend      string `json:"mend,omitempty"`
	Topic     string `json:"topic"` // of the record that was refused, with its partition and offset
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Recorded  string `json:"recorded"` // RFC 3339
	Media     string `json:"media,omitempty"`
	Body      []byte `json:"body"` // what was refused, as it came
}

// Record is the letter as it goes to the topic, under the key of what was refused; nil is none.
func (l DeadLetter) Record(to Topic, key []byte) kgo.Record {
	return kgo.Record{Topic: to.Name, Key: key, Value: l.marshal()}
}

// source says where a record that is being processed stands.
type source struct {
	topic     string
	partition int32
	offset    int64
	recorded  clinical.Instant
	media     string
}

// letter describes a refusal of body. Its reason is that of the first fault in err.
func (s source) letter(err error, body []byte) DeadLetter {
	l := DeadLetter{Reason: string(fhir.InvalidJSON), Topic: s.topic, Partition: s.partition, Offset: s.offset,
		Recorded: s.recorded.String(), Media: s.media, Body: body}
	var fault *fhir.Fault
	if errors.As(err, &fault) {
		l.Reason, l.Place, l.Problem, l.Mend = string(fault.Reason), fault.Place, fault.Problem, fault.Mend
	} else if err != nil {
		l.Problem = "it could not be read"
	}
	return l
}

// marshal writes the letter as it goes to the topic.
func (l DeadLetter) marshal() []byte {
	b, err := json.Marshal(l)
	if err != nil { // a struct of strings, numbers and bytes
		panic(fmt.Sprintf("writing a dead letter: %v", err))
	}
	return b
}
