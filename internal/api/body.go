package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/processor"
)

// Media types that each kind of body may be sent in. None at all is taken for the first.
var (
	fhirMedia        = []string{processor.MediaFHIR, "application/json"}
	observationMedia = []string{processor.MediaCompact, "application/ndjson", "application/jsonl", "application/json"}
	jsonMedia        = []string{"application/json"}
)

// readBody reads a whole body of one of these media types, gzip or plain, of at most the limit once it
// is plain.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, media []string) ([]byte, *refusal) {
	if refused := checkMedia(r.Header.Get("Content-Type"), media); refused != nil {
		return nil, refused
	}
	limit := int64(s.options.MaxBody)
	tooLarge := func() *refusal {
		s.observer.refused.WithLabelValues(string(fhir.TooLarge)).Inc()
		return refuse(http.StatusRequestEntityTooLarge, "too-large", "too-long",
			fmt.Sprintf("the body is larger than %d bytes", limit), "send it in several parts, or raise limits.body")
	}
	if r.ContentLength > limit {
		return nil, tooLarge()
	}
	var in io.Reader = http.MaxBytesReader(w, r.Body, limit)
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return nil, unreadable(err)
		}
		defer unzipped.Close()
		in = io.LimitReader(unzipped, limit+1)
	default:
		w.Header().Set("Accept-Encoding", "gzip")
		return nil, refuse(http.StatusUnsupportedMediaType, "unsupported-encoding", "not-supported",
			"the body's Content-Encoding is not supported", "send it plain or with gzip")
	}
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := body.ReadFrom(in)
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over), int64(body.Len()) > limit:
		return nil, tooLarge()
	case err != nil:
		return nil, unreadable(err)
	}
	return body.Bytes(), nil
}

func unreadable(err error) *refusal {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return refuse(http.StatusBadRequest, "unreadable-body", "structure", "the body is not the gzip that its Content-Encoding says",
			"compress it again, or leave Content-Encoding out")
	}
	return refuse(http.StatusBadRequest, "unreadable-body", "structure", "the body ended before it was whole", "send it again")
}

func checkMedia(contentType string, media []string) *refusal {
	if contentType == "" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || !slices.Contains(media, kind) {
		return refuse(http.StatusUnsupportedMediaType, "unsupported-media-type", "not-supported",
			"the body's Content-Type is not supported", "send it as "+strings.Join(media, " or "))
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refuse(http.StatusUnsupportedMediaType, "unsupported-charset", "not-supported",
			"the body's charset is not supported", "send it as UTF-8")
	}
	return nil
}
