// Package claim fetches payloads that an event only points to: files, and objects of a store that speaks S3.
//
// A claim says where the payload is, how large, of which SHA-256 and which media type. It is fetched once, whole,
// and is nothing but what the claim says: another size or hash is refused. Only places that a site names can be
// pointed to.
package claim

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/vigil-cds/vigil/internal/fhir"
)

// ErrUnavailable is wrapped by failures that may pass: the same claim can be fetched later.
var ErrUnavailable = errors.New("the payload cannot be fetched now")

// The reasons for which a claim is refused for good, and that of one which could not be fetched in time.
const (
	ReasonInvalid     fhir.Reason = "claim-invalid"
	ReasonForbidden   fhir.Reason = "claim-forbidden" // points where the site lets nobody point
	ReasonMissing     fhir.Reason = "claim-missing"
	ReasonDiffers     fhir.Reason = "claim-differs" // another size or hash
	ReasonUnavailable fhir.Reason = "claim-unavailable"
)

// Claim points to a payload.
type Claim struct {
	URI         string `json:"uri"` // file:///directory/name or s3://bucket/key
	Size        int64  `json:"size"`
	SHA256      string `json:"sha256"`      // hexadecimal
	ContentType string `json:"contentType"` // a media type of the events log

	scheme, place string // place is the path, or bucket/key
	hash          []byte
}

// Parse reads a claim. The error is a fhir.Fault, which does not show the URI: names of files say whose they are.
func Parse(body []byte) (*Claim, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	c := new(Claim)
	if err := d.Decode(c); err != nil {
		return nil, refuse(ReasonInvalid, "", "this is not a claim", "send {uri, size, sha256, contentType}")
	}
	u, err := url.Parse(c.URI)
	switch {
	case err != nil:
	case u.Scheme == "file" && u.Host == "" && strings.HasPrefix(u.Path, "/"):
		c.scheme, c.place = u.Scheme, u.Path
	case u.Scheme == "s3" && u.Host != "" && len(u.Path) > 1:
		c.scheme, c.place = u.Scheme, u.Host+u.Path
	}
	if c.scheme == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, refuse(ReasonInvalid, "uri", "this is not a place that a claim can point to", "write file:///directory/name or s3://bucket/key")
	}
	if c.Size <= 0 {
		return nil, refuse(ReasonInvalid, "size", "the size is missing", "say how many bytes there are")
	}
	if c.hash, err = hex.DecodeString(c.SHA256); err != nil || len(c.hash) != 32 {
		return nil, refuse(ReasonInvalid, "sha256", "this is not a SHA-256", "write its 64 hexadecimal digits")
	}
	return c, nil
}

func refuse(reason fhir.Reason, element, problem, mend string) *fhir.Fault {
	place := "claim"
	if element != "" {
		place += "." + element
	}
	return &fhir.Fault{Reason: reason, Place: place, Problem: problem, Mend: mend, Status: 422}
}

// Unavailable is the fault of a claim that could not be fetched for as long as it was tried.
func Unavailable(tried fmt.Stringer) *fhir.Fault {
	return refuse(ReasonUnavailable, "uri", "the payload could not be fetched for "+tried.String(), "when its store answers again, send the event again")
}
