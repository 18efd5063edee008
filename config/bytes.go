package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size in bytes, written as "16MiB", "64KiB", "2GiB", "500kB" or a plain number.
type Bytes int64

var byteUnits = []struct {
	name string
	size int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

var errBytes = errors.New("not a size such as 16MiB")

// ParseBytes reads a size.
func ParseBytes(s string) (Bytes, error) {
	number, size := strings.TrimSpace(s), int64(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, size = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/size {
		return 0, fmt.Errorf("%q is %w", s, errBytes)
	}
	return Bytes(n * size), nil
}

// String writes the size in the largest binary unit that divides it.
func (b Bytes) String() string {
	for _, u := range byteUnits[:3] {
		if b != 0 && int64(b)%u.size == 0 {
			return strconv.FormatInt(int64(b)/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// Set reads a size, so that a *Bytes can be a flag.
func (b *Bytes) Set(s string) error {
	n, err := ParseBytes(s)
	if err == nil {
		*b = n
	}
	return err
}

// Type is what a flag's help calls it.
func (b *Bytes) Type() string { return "size" }
