package store

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
)

// parts of keys that lie next to each other, so that a wrong order shows.
var (
	somePatients = []string{"a", "a\x01", "a!", "aa", "ab", "b", "patient-1", "patient-10", "patient-2", "ä", "\U0001F600"}
	someInstants = []clinical.Instant{clinical.Never, clinical.Never + 1, -1, 0, 1, 255, 256, 1_700_000_000_000, clinical.Forever - 1, clinical.Forever}
	someNumbers  = []uint64{0, 1, 255, 256, 1 << 32, 1<<64 - 1}
	someRules    = []string{"aki", "aki-1", "aki-10", "aki-2", "z"}
	severities   = []rules.Severity{rules.Info, rules.Warning, rules.Critical}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func TestKeysSortByWhatTheyMean(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	families := map[string]func() (key []byte, order []any){
		"timers": func() ([]byte, []any) {
			due, id := pick(r, someInstants), pick(r, somePatients)
			return appendTimerKey(nil, 3, due, id), []any{due, id}
		},
		"chunks": func() ([]byte, []any) {
			id, s, f := pick(r, somePatients), pick(r, someNumbers), pointer.Fence{Time: pick(r, someInstants), Seq: pick(r, someNumbers)}
			return appendChunkKey(nil, 3, id, clinical.StreamID(s), f), []any{id, s, f.Time, f.Seq}
		},
		"worklist": func() ([]byte, []any) {
			c := Cursor{pick(r, severities), pick(r, someRules), pick(r, somePatients), pick(r, someInstants)}
			return appendWorklistKey(nil, 3, c), []any{-int(c.Severity), c.Rule, c.Patient, c.Period}
		},
		"outbox": func() ([]byte, []any) {
			p, n := int32(r.IntN(3)*200), pick(r, someNumbers)
			return appendOutboxKey(nil, p, n), []any{int(p), n}
		},
		"patients": func() ([]byte, []any) {
			id, part := pick(r, somePatients), pick(r, []byte{partMeta, partRow, partFacts, partResource})
			return appendPatientKey(nil, 3, id, part), []any{id, int(part)}
		},
	}
	for name, make := range families {
		t.Run(name, func(t *testing.T) {
			for range 5000 {
				x, xs := make()
				y, ys := make()
				require.Equal(t, compareAll(xs, ys), bytes.Compare(x, y), "%v and %v", xs, ys)
			}
		})
	}
}

func compareAll(xs, ys []any) int {
	for i := range xs {
		var c int
		switch x := xs[i].(type) {
		case string:
			c = cmp.Compare(x, ys[i].(string))
		case int:
			c = cmp.Compare(x, ys[i].(int))
		case uint64:
			c = cmp.Compare(x, ys[i].(uint64))
		case clinical.Instant:
			c = cmp.Compare(x, ys[i].(clinical.Instant))
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func TestKeysReadBackWhatWasWritten(t *testing.T) {
	for _, id := range somePatients {
		for _, when := range someInstants {
			due, patient, ok := timerOf(appendTimerKey(nil, 9, when, id)[3:])
			require.True(t, ok)
			require.Equal(t, timer{when, id}, timer{due, string(patient)})

			for _, n := range someNumbers {
				f := pointer.Fence{Time: when, Seq: n}
				patient, rest, ok := splitPatientKey(appendChunkKey(nil, 9, id, clinical.StreamID(n), f))
				require.True(t, ok)
				require.Equal(t, id, string(patient))
				require.EqualValues(t, partFacts, rest[0])
				s, back, ok := chunkOf(rest[1:])
				require.True(t, ok)
				require.Equal(t, f, back)
				require.EqualValues(t, n, s)
			}
		}
		for _, rule := range someRules {
			for _, s := range severities {
				for _, period := range someInstants {
					c := Cursor{s, rule, id, period}
					back, ok := worklistOf(appendWorklistKey(nil, 9, c)[3:])
					require.True(t, ok)
					require.Equal(t, c, back)
				}
			}
		}
	}
}

func TestKeysOfAPatientLieBetweenItsPrefixAndTheNext(t *testing.T) {
	for _, x := range somePatients {
		lower := appendPatientPrefix(nil, 1, x)
		upper := successor(lower)
		for _, y := range somePatients {
			key := appendResourceKey(nil, 1, y, 7)
			inside := bytes.Compare(lower, key) <= 0 && bytes.Compare(key, upper) < 0
			require.Equal(t, x == y, inside, "%q among the keys of %q", y, x)
		}
	}
}

func TestSuccessorIsTheFirstKeyPastThePrefix(t *testing.T) {
	for _, c := range []struct{ in, out []byte }{
		{[]byte("a"), []byte("b")},
		{[]byte{1, 0xff}, []byte{2}},
		{[]byte{0xff, 0xff}, nil},
		{nil, nil},
	} {
		require.Equal(t, c.out, successor(c.in))
	}
}

func TestStoredValuesReadBack(t *testing.T) {
	state := State{Facts: 9, Events: -1, Clock: clinical.Never, RuleSet: "hash", Activated: 5, ActivationOffset: 3, Sweeping: true, Sweep: "p", Outbox: 7}
	got, ok := decodeState(state.appendTo(nil))
	require.True(t, ok)
	require.Equal(t, state, got)

	meta := Meta{Changed: -4, Facts: 12, Due: clinical.Forever, Standing: []Standing{{"a", clinical.Never, 3, rules.Critical}, {"b", clinical.Never, -3, rules.Info}}}
	gotMeta, ok := decodeMeta(meta.appendTo(nil))
	require.True(t, ok)
	require.Equal(t, meta, gotMeta)

	h := held{clinical.Version{Number: 3, Updated: -9}, []place{
		{1<<63 + 1, pointer.Fence{Time: 4, Seq: 900}}, {5, pointer.Fence{Time: clinical.Never, Seq: 3}}}}
	gotHeld, ok := decodeHeld(h.appendTo(nil))
	require.True(t, ok)
	require.Equal(t, h, *gotHeld)

	// A comma in a code is no separator.
	stream := clinical.NewStream(clinical.KindCondition, "local|a,b", "local|c")
	gotStream, ok := decodeStream(appendStream(nil, stream))
	require.True(t, ok)
	require.Equal(t, stream, gotStream)
}

func TestStoredValuesCutShortAreRefused(t *testing.T) {
	state := State{RuleSet: "hash", Sweep: "p"}
	meta := Meta{Standing: []Standing{{"a", clinical.Never, 3, rules.Critical}}}
	h := held{facts: []place{{stream: 1}}}
	for name, c := range map[string]struct {
		bytes []byte
		read  func([]byte) bool
	}{
		"state":  {state.appendTo(nil), func(b []byte) bool { _, ok := decodeState(b); return ok }},
		"meta":   {meta.appendTo(nil), func(b []byte) bool { _, ok := decodeMeta(b); return ok }},
		"held":   {h.appendTo(nil), func(b []byte) bool { _, ok := decodeHeld(b); return ok }},
		"stream": {appendStream(nil, potassium), func(b []byte) bool { _, ok := decodeStream(b); return ok }},
	} {
		require.True(t, c.read(c.bytes), name)
		for n := range c.bytes {
			require.False(t, c.read(c.bytes[:n]), "%s: the first %d of %d bytes", name, n, len(c.bytes))
		}
		require.False(t, c.read(append(c.bytes, 0)), "%s and one byte more", name)
	}
}
