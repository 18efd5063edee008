// Package api is Vigil's HTTP service: FHIR and compact observations in, answers out. It holds no state
// of its own: what comes in goes to the Log, and is acknowledged once the Log has it; what is asked is
// answered by a Reader, and why by Explanations. These, and everything else that the service stands on,
// are small interfaces declared here.
//
// What a FHIR client did wrong is told as FHIR does, by an OperationOutcome that names the place and how
// to mend it; every other problem is an application/problem+json (RFC 9457). Nothing that leaves through
// a log line or a metric says who a patient is or what was sent: both speak of routes, never of paths.
//
// Each route says which scope it needs (server.go). With a Gate, a caller is known and has that scope, or is
// refused; without one the service asks nobody who they are, and belongs on loopback or behind a proxy that
// does. Who asked for whom goes to the access log, and there alone.
package api
