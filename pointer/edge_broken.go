//go:build vigil_broken_edge

package pointer

const edge = 1
