// Package secure makes clients of Kafka prove who they are and know whom they talk to: TLS with a
// certificate of their own or without, and SASL by PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.
//
// One Channel serves every client of a process. It never prints, logs or wraps a secret: what a broker or a
// token endpoint says about a failure is passed on, what was sent to it is not.
package secure
