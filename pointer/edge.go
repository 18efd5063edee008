//go:build !vigil_broken_edge

package pointer

// edge is by how many milliseconds the far end of every window is wrong. The build tag vigil_broken_edge
// makes it one, so that a test can show that the audit finds an engine that is off by one.
const edge = 0
