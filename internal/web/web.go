// Package web holds the pages that the service shows to a person. They stand alone: no script, style or
// font comes from anywhere else.
package web

import (
	_ "embed"
)

// Page is the start page: what this is, where to go, and the worklist, which refreshes itself. It must
// not be changed.
//
//go:embed page.html
var Page []byte

// Policy is the Content-Security-Policy under which Page works: nothing from elsewhere is loaded, and
// nobody may frame it.
const Policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
