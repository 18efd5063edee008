// Package access says who asks, and what they may.
//
// A caller shows a bearer token: a JWT (RFC 9068 or like it) whose signature, issuer, audience and time are
// held to a set of keys (token.go), or a client certificate that the TLS layer has verified. What the caller
// may do are scopes (scope.go). What was asked and by whom goes to a log of its own (log.go), since the
// ordinary log never names a patient.
package access
