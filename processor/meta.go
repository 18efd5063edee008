package processor

import (
	"strconv"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// meta is the version of a resource as FHIR's meta element writes it.
type meta struct {
	VersionID   string `json:"versionId,omitempty"`
	LastUpdated string `json:"lastUpdated,omitempty"` // RFC 3339
}

func metaOf(v clinical.Version) meta {
	var m meta
	if v.Number != 0 {
		m.VersionID = strconv.FormatInt(v.Number, 10)
	}
	if v.Updated != 0 {
		m.LastUpdated = v.Updated.String()
	}
	return m
}

// version reads it; false when the time cannot be read. A versionId that is no number above zero orders
// nothing, as in package fhir.
func (m meta) version() (clinical.Version, bool) {
	var v clinical.Version
	if n, err := strconv.ParseInt(m.VersionID, 10, 64); err == nil && n > 0 {
		v.Number = n
	}
	if m.LastUpdated != "" {
		t, err := time.Parse(time.RFC3339Nano, m.LastUpdated)
		if err != nil {
			return clinical.Version{}, false
		}
		v.Updated = clinical.At(t)
	}
	return v, true
}
