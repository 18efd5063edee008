package processor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrMalformedPosition is returned by ParsePosition and ParsePositions.
var ErrMalformedPosition = errors.New("not a position in the log")

// The logs that a Position can be in.
const (
	EventsLog byte = 'e'
	FactsLog  byte = 'f'
)

// Position names one record of the log: what a write returns, and what a read can ask to have been
// applied. It is written "e3.812": events, partition 3, offset 812.
type Position struct {
	Log       byte // EventsLog or FactsLog
	Partition int32
	Offset    int64
}

// String writes the position as ParsePosition reads it.
func (p Position) String() string {
	b := make([]byte, 0, 16)
	b = append(b, p.Log)
	b = strconv.AppendInt(b, int64(p.Partition), 10)
	b = append(b, '.')
	return string(strconv.AppendInt(b, p.Offset, 10))
}

// ParsePosition reads what String wrote.
func ParsePosition(s string) (Position, error) {
	fail := func() (Position, error) {
		return Position{}, fmt.Errorf("%w: want one like e3.812, as a write answers it", ErrMalformedPosition)
	}
	if s == "" || s[0] != EventsLog && s[0] != FactsLog {
		return fail()
	}
	partition, offset, ok := strings.Cut(s[1:], ".")
	if !ok {
		return fail()
	}
	p, err := strconv.ParseUint(partition, 10, 31)
	if err != nil {
		return fail()
	}
	o, err := strconv.ParseUint(offset, 10, 63)
	if err != nil {
		return fail()
	}
	return Position{Log: s[0], Partition: int32(p), Offset: int64(o)}, nil
}

// FormatPositions writes a list, joined by commas.
func FormatPositions(ps []Position) string {
	words := make([]string, len(ps))
	for i, p := range ps {
		words[i] = p.String()
	}
	return strings.Join(words, ",")
}

// ParsePositions reads a list joined by commas. The empty string is the empty list.
func ParsePositions(s string) ([]Position, error) {
	if s == "" {
		return nil, nil
	}
	var ps []Position
	for word := range strings.SplitSeq(s, ",") {
		p, err := ParsePosition(strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// Latest keeps, of several positions, the last of each partition of each log, in the order in which
// the partitions were first met: whoever has read up to these has read up to all.
func Latest(ps []Position) []Position {
	var latest []Position
	index := make(map[Position]int)
	for _, p := range ps {
		at, ok := index[Position{Log: p.Log, Partition: p.Partition}]
		if !ok {
			index[Position{Log: p.Log, Partition: p.Partition}] = len(latest)
			latest = append(latest, p)
			continue
		}
		latest[at].Offset = max(latest[at].Offset, p.Offset)
	}
	return latest
}
