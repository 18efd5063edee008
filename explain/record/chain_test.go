package record_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/record/recordtest"
)

func TestASealHoldsInEveryForm(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for i := range 300 {
		e := recordtest.Random(rng)
		e.Seal(int64(i+1), strings.Repeat("a", 64))
		require.NoError(t, e.Check())
		require.Len(t, e.Hash, 64)
		stored, err := record.Unmarshal(e.Marshal())
		require.NoError(t, err)
		require.NoError(t, stored.Check())
		read := &record.Explanation{}
		require.NoError(t, json.Unmarshal([]byte(asJSON(t, e)), read))
		require.NoError(t, read.Check())
	}
}

func TestEveryEditOfAByteIsFound(t *testing.T) {
	stored := recordtest.Example().Marshal()
	refused, altered := 0, 0
	for at := range stored {
		was := stored[at]
		edits := []byte{0x00, 0xff}
		for bit := range 8 {
			edits = append(edits, was^1<<bit)
		}
		for _, edit := range edits {
			if edit == was {
				continue
			}
			stored[at] = edit
			e, err := record.Unmarshal(stored)
			if err != nil {
				require.ErrorIs(t, err, record.ErrMalformed)
				refused++
				continue
			}
			require.ErrorIs(t, e.Check(), record.ErrAltered, "byte %d from %#x to %#x", at, was, edit)
			altered++
		}
		stored[at] = was
	}
	require.Positive(t, refused)
	require.Positive(t, altered)
}

func TestEveryEditOfAValueInJSONIsFound(t *testing.T) {
	for _, e := range []*record.Explanation{recordtest.Example(), recordtest.Unknown(), recordtest.False()} {
		e.Seal(3, record.Genesis)
		var document any
		require.NoError(t, json.Unmarshal([]byte(asJSON(t, e)), &document))
		edits := 0
		check := func() {
			edits++
			read := &record.Explanation{}
			text := asJSON(t, document)
			if json.Unmarshal([]byte(text), read) == nil {
				require.ErrorIs(t, read.Check(), record.ErrAltered, text)
			}
		}
		eachEdit(document, func(any) {}, check)
		require.Greater(t, edits, 100)
		read := &record.Explanation{}
		require.NoError(t, json.Unmarshal([]byte(asJSON(t, document)), read))
		require.NoError(t, read.Check(), "every edit was taken back")
	}
}

// eachEdit puts another value in the place of every value of the document, one at a time.
func eachEdit(x any, set func(any), check func()) {
	try := func(others ...any) {
		for _, other := range others {
			set(other)
			check()
		}
		set(x)
	}
	switch x := x.(type) {
	case map[string]any:
		for k := range x {
			eachEdit(x[k], func(y any) { x[k] = y }, check)
		}
	case []any:
		for i := range x {
			eachEdit(x[i], func(y any) { x[i] = y }, check)
		}
		if len(x) > 0 {
			try(x[1:], append(x[:len(x):len(x)], x[0]))
		}
	case string:
		try(x+"x", "")
		if strings.Contains(x, "2026") {
			try(strings.Replace(x, "2026", "2025", 1)) // an instant stays one
		}
	case float64:
		try(x+1, -x-0.5)
	case bool:
		try(!x)
	}
}

func TestAChainSaysWhereItBreaks(t *testing.T) {
	const length = 6
	type chain []*record.Explanation
	for name, c := range map[string]struct {
		change func(c chain) chain
		from   int64 // of a part
		breaks []string
	}{
		"nothing was changed": {func(c chain) chain { return c }, 1, nil},
		"a value was changed": {func(c chain) chain { c[2].Facts[0].Value = number(1.3); return c }, 1, []string{"3 altered"}},
		"a value was changed, and the hash with it": {func(c chain) chain {
			c[2].Facts[0].Value = number(1.3)
			c[2].Seal(c[2].Sequence, c[2].Previous)
			return c
		}, 1, []string{"4 broken"}},
		"the last was changed, and the hash with it": {func(c chain) chain {
			c[5].Truth = record.False
			c[5].Seal(c[5].Sequence, c[5].Previous)
			return c
		}, 1, []string{"6 broken"}},
		"a hash was changed":              {func(c chain) chain { c[2].Hash = c[1].Hash; return c }, 1, []string{"3 altered"}},
		"a number was changed":            {func(c chain) chain { c[2].Sequence = 30; return c }, 1, []string{"30 altered"}},
		"two were changed":                {func(c chain) chain { c[1].Message, c[4].Message = "", ""; return c }, 1, []string{"2 altered", "5 altered"}},
		"one was taken out":               {func(c chain) chain { return append(c[:2], c[3:]...) }, 1, []string{"4 gap"}},
		"one was taken out, one changed":  {func(c chain) chain { c[3].Message = ""; return append(c[:2], c[3:]...) }, 1, []string{"4 altered", "5 gap"}},
		"the first was taken out":         {func(c chain) chain { return c[1:] }, 1, []string{"2 gap"}},
		"the first was changed":           {func(c chain) chain { c[0].Message = ""; return c }, 1, []string{"1 altered"}},
		"the first follows something":     {func(c chain) chain { c[0].Seal(1, c[5].Hash); return c }, 1, []string{"1 broken", "2 broken"}},
		"one stands twice":                {func(c chain) chain { return append(c[:3:3], c[2:]...) }, 1, []string{"3 gap"}},
		"two changed places":              {func(c chain) chain { c[2], c[3] = c[3], c[2]; return c }, 1, []string{"4 gap", "3 gap", "5 gap"}},
		"the last was taken out":          {func(c chain) chain { return c[:5] }, 1, []string{"6 truncated"}},
		"all were taken out":              {func(c chain) chain { return nil }, 1, []string{"6 truncated"}},
		"one is another patient's":        {func(c chain) chain { c[5].Patient = "p-1"; c[5].Seal(6, c[4].Hash); return c }, 1, []string{"6 broken", "6 broken"}},
		"one cannot be read":              {func(c chain) chain { c[2] = nil; return c }, 1, []string{"3 altered"}},
		"a part is verified":              {func(c chain) chain { return c[2:] }, 3, nil},
		"a part was changed at its first": {func(c chain) chain { c[2].Message = ""; return c[2:] }, 3, []string{"3 altered"}},
		"a part was changed":              {func(c chain) chain { c[4].Message = ""; return c[2:] }, 3, []string{"5 altered"}},
		"a part has a gap":                {func(c chain) chain { return append(c[2:3], c[4:]...) }, 3, []string{"5 gap"}},
		"a part cannot be read":           {func(c chain) chain { c[2] = nil; return c[2:] }, 3, []string{"3 altered"}},
	} {
		t.Run(name, func(t *testing.T) {
			var whole chain
			previous := record.Genesis
			for i := range int64(length) {
				e := recordtest.Example()
				e.Seal(i+1, previous)
				previous = e.Hash
				whole = append(whole, e)
			}
			v := &record.Verifier{Whole: c.from == 1}
			changed := c.change(whole)
			for i, e := range changed {
				if e == nil {
					requireBreak(t, v.Unreadable(c.from+int64(i)))
				} else if err := v.Next(e); err != nil {
					b := requireBreak(t, err)
					require.Equal(t, e.ID, b.ID)
					require.Equal(t, "f3.812", b.Position)
					require.NotContains(t, err.Error(), e.Patient)
					require.Contains(t, err.Error(), "f3.812")
				}
			}
			if err := v.End(length, previous); err != nil {
				requireBreak(t, err)
			}
			var found []string
			for _, b := range v.Breaks() {
				found = append(found, fmt.Sprint(b.Sequence, " ", b.Reason))
			}
			require.Equal(t, c.breaks, found)

			var sum record.Verification
			sum.Add(&record.Verifier{})
			sum.Add(v)
			require.Equal(t, int64(1), sum.Patients)
			require.Equal(t, int64(len(changed)), sum.Explanations)
			require.Equal(t, c.from > 1, sum.Parts == 1)
			require.Equal(t, c.breaks == nil, sum.Intact())
			require.Equal(t, v.Breaks(), sum.Breaks)
		})
	}
}

func TestAGapBeforeWhatCannotBeReadIsFoundToo(t *testing.T) {
	v := &record.Verifier{Patient: "p-4711", Whole: true}
	require.NoError(t, v.Next(recordtest.Example()))
	require.ErrorIs(t, v.Unreadable(3), record.ErrAltered)
	require.Equal(t, []record.Break{{Patient: "p-4711", Sequence: 3, Reason: record.Gap}, {Patient: "p-4711", Sequence: 3, Reason: record.Altered}},
		v.Breaks())
}

func TestABreakSaysWhereItIsWithoutThePatient(t *testing.T) {
	for want, b := range map[string]*record.Break{
		"explanation 3, position f3.812: it was altered: its hash does not fit its content":      {Patient: "p", ID: "p/r", Sequence: 3, Position: "f3.812", Reason: record.Altered},
		"explanation 4, position f0.9: the hash before it is not the one that it was chained to": {Patient: "p", Sequence: 4, Position: "f0.9", Reason: record.Broken},
		"explanation 5: its number does not follow the one before it":                            {Patient: "p", Sequence: 5, Reason: record.Gap},
		"explanation 6, position f3.812: the chain ends before it":                               {Patient: "p", Sequence: 6, Position: "f3.812", Reason: record.Truncated},
	} {
		require.EqualError(t, b, want)
	}
}

func TestAChainThatHasMoreThanItsHeadIsBroken(t *testing.T) {
	v := &record.Verifier{Whole: true}
	require.NoError(t, v.Next(recordtest.Example()))
	require.ErrorIs(t, v.End(0, ""), record.ErrBroken)
	require.NoError(t, (&record.Verifier{Whole: true}).End(0, ""), "a patient without explanations has no head")
}

func TestAVerificationIsWrittenForEveryReader(t *testing.T) {
	v := &record.Verifier{}
	e := recordtest.Example()
	e.Message = ""
	require.Error(t, v.Next(e))
	sum := record.Verification{}
	sum.Add(v)
	require.JSONEq(t, `{"patients":1,"explanations":1,"parts":0,"breaks":[
		{"patient":"p-4711","sequence":1,"id":"`+e.ID+`","position":"f3.812","reason":"altered"}]}`, asJSON(t, sum))
}

func requireBreak(t *testing.T, err error) *record.Break {
	t.Helper()
	var b *record.Break
	require.ErrorAs(t, err, &b)
	want := record.ErrBroken
	if b.Reason == record.Altered {
		want = record.ErrAltered
	}
	require.True(t, errors.Is(err, want))
	return b
}
