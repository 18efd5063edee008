package record_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/record/recordtest"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestAValueIsReadFromJSONAsItWas(t *testing.T) {
	for _, c := range []struct {
		value record.Value
		json  string
	}{
		{record.Value{}, `null`},
		{number(5.2), `5.2`},
		{number(0), `0`},
		{number(math.Copysign(0, -1)), `-0`},
		{number(0.30000000000000004), `0.30000000000000004`},
		{number(144 / 88.4), `1.6289592760180995`},
		{number(1e6), `1000000`},
		{number(1e21), `1e+21`},
		{number(-1e-7), `-1e-7`},
		{number(math.MaxFloat64), `1.7976931348623157e+308`},
		{number(math.SmallestNonzeroFloat64), `5e-324`},
		{record.Value{Kind: rules.Number, Num: 5, Bound: clinical.Below}, `{"comparator":"\u003c","number":5}`},
		{record.Value{Kind: rules.Number, Num: 0, Bound: clinical.Above}, `{"comparator":"\u003e","number":0}`},
		{record.Value(rules.BoolOf(true)), `true`},
		{record.Value(rules.BoolOf(false)), `false`},
		{record.Value(rules.TextOf("")), `""`},
		{record.Value(rules.TextOf("<5")), `"\u003c5"`},
		{record.Value(rules.TextOf("2026-03-01T10:00:00Z")), `"2026-03-01T10:00:00Z"`},
		{record.Value(rules.TimeOf(0)), `{"time":"1970-01-01T00:00:00Z"}`},
		{record.Value(rules.TimeOf(1_772_359_200_001)), `{"time":"2026-03-01T10:00:00.001Z"}`},
		{record.Value(rules.TimeOf(clinical.Forever)), `{"time":"ongoing"}`},
	} {
		written, err := json.Marshal(c.value)
		require.NoError(t, err)
		require.Equal(t, c.json, string(written))
		got := number(99)
		require.NoError(t, json.Unmarshal(written, &got))
		require.Equal(t, c.value, got)
		require.Equal(t, math.Signbit(c.value.Num), math.Signbit(got.Num))
	}
}

func TestAValueThatJSONHasNoWordsForIsNotWritten(t *testing.T) {
	for name, v := range map[string]record.Value{
		"not a number":                 number(math.NaN()),
		"infinite":                     number(math.Inf(-1)),
		"a bound that is infinite":     {Kind: rules.Number, Num: math.Inf(1), Bound: clinical.Below},
		"a time that is not a number":  {Kind: rules.Time, Num: math.NaN()},
		"a time in the year 10000":     record.Value(rules.TimeOf(253_402_300_800_000)),
		"a time finer than JSON's":     {Kind: rules.Time, Num: 0.5},
		"a time before every other":    record.Value(rules.TimeOf(clinical.Never)),
		"a time before the year 0":     record.Value(rules.TimeOf(-62_167_219_200_001)),
		"a time beyond every calendar": {Kind: rules.Time, Num: 1e300 * -1},
	} {
		_, err := json.Marshal(v)
		require.ErrorIs(t, err, record.ErrUnwritable, name)
	}
}

func TestAnythingElseIsNoValue(t *testing.T) {
	for _, text := range []string{`[]`, `{}`, `1e999`, `{"number":5}`, `{"comparator":"<"}`, `{"comparator":"<=","number":5}`,
		`{"comparator":"<","number":5,"unit":"mg"}`, `{"comparator":"<","number":null}`, `{"time":5}`, `{"time":null}`,
		`{"time":"2026-03-01"}`, `{"time":"2026-03-01T10:00:00Z","number":1}`} {
		var v record.Value
		require.Error(t, json.Unmarshal([]byte(text), &v), text)
	}
}

func TestAnInstantIsReadFromJSONAsItWas(t *testing.T) {
	for text, i := range map[string]record.Instant{
		`"1970-01-01T00:00:00Z"`:     0,
		`"1969-12-31T23:59:59.999Z"`: -1,
		`"2026-03-01T10:00:00.120Z"`: 1_772_359_200_120,
		`"0000-01-01T00:00:00Z"`:     -62_167_219_200_000,
		`"9999-12-31T23:59:59.999Z"`: 253_402_300_799_999,
		`"ongoing"`:                  record.Ongoing,
	} {
		written, err := json.Marshal(i)
		require.NoError(t, err)
		require.Equal(t, text, string(written))
		got := record.Instant(7)
		require.NoError(t, json.Unmarshal(written, &got))
		require.Equal(t, i, got)
	}
	var elsewhere record.Instant
	require.NoError(t, json.Unmarshal([]byte(`"2026-03-01T11:00:00+01:00"`), &elsewhere))
	require.Equal(t, record.Instant(1_772_359_200_000), elsewhere)
}

func TestAnInstantOutsideTheCalendarIsNotWritten(t *testing.T) {
	for _, i := range []record.Instant{-62_167_219_200_001, 253_402_300_800_000, record.Ongoing - 1, record.Instant(clinical.Never)} {
		_, err := json.Marshal(i)
		require.ErrorIs(t, err, record.ErrUnwritable)
		e := recordtest.Example()
		e.At = i
		_, err = json.Marshal(e)
		require.ErrorIs(t, err, record.ErrUnwritable)
		_, err = json.Marshal(record.Difference{Later: *e})
		require.ErrorIs(t, err, record.ErrUnwritable)
		again, err := record.Unmarshal(e.Marshal())
		require.NoError(t, err)
		require.Equal(t, e, again, "the stored form takes it")
	}
}

func TestAnythingElseIsNoInstant(t *testing.T) {
	for _, text := range []string{`null`, `5`, `""`, `"never"`, `"2026-03-01"`, `"2026-03-01T10:00:00"`, `"2026-03-01T10:00:00.0001Z"`,
		`"2026-02-30T10:00:00Z"`, `"10000-01-01T00:00:00Z"`} {
		var i record.Instant
		require.Error(t, json.Unmarshal([]byte(text), &i), text)
	}
}

func TestAnExplanationIsReadFromJSONAsItWas(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		want := recordtest.Random(rng)
		written, err := json.Marshal(want)
		require.NoError(t, err)
		got := &record.Explanation{}
		require.NoError(t, json.Unmarshal(written, got))
		require.Equal(t, want, got)
		require.Equal(t, want.Marshal(), got.Marshal())
	}
}

// What is written by hand is what encoding/json makes of the tags.
func TestTheJSONIsThatOfTheTags(t *testing.T) {
	type explanation record.Explanation
	type difference record.Difference
	rng := rand.New(rand.NewPCG(15, 16))
	for range 400 {
		x, y := recordtest.Random(rng), recordtest.Random(rng)
		got, err := x.AppendJSON([]byte("kept"))
		require.NoError(t, err)
		require.Equal(t, "kept"+asJSON(t, (*explanation)(x)), string(got))
		d := record.Difference{Earlier: *x, Later: *y, Changes: []record.Delta{{What: "entered", Source: x.Rule.When,
			Before: x.Tree.Value, After: y.Tree.Value}}}
		if len(x.Facts) > 0 {
			d.Changes = append(d.Changes, record.Delta{What: "left", Fact: &x.Facts[0]})
		}
		require.Equal(t, asJSON(t, difference(d)), asJSON(t, d))
	}
	treeless := &record.Explanation{Terms: []record.Term{}, Facts: []record.Fact{}, Suffices: []int{}}
	require.Equal(t, asJSON(t, (*explanation)(treeless)), asJSON(t, treeless))
}

func TestTextsAndNumbersAreThoseOfTheTags(t *testing.T) {
	for i := range rune(0x3000) {
		s := "a" + string(i) + "b"
		require.Equal(t, asJSON(t, s), asJSON(t, record.Value(rules.TextOf(s))))
	}
	rng := rand.New(rand.NewPCG(17, 18))
	for range 10_000 {
		x := math.Float64frombits(rng.Uint64())
		if rng.IntN(2) == 0 {
			x = rng.NormFloat64() * math.Pow(10, float64(rng.IntN(60)-30))
		}
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			require.Equal(t, asJSON(t, x), asJSON(t, number(x)))
		}
	}
}

func TestAListThatIsAlwaysThereIsWrittenEvenWhenNobodyMadeIt(t *testing.T) {
	e := record.Explanation{Terms: []record.Term{{}}, Facts: []record.Fact{{}}, Miss: &record.Miss{}}
	text := asJSON(t, e)
	for _, want := range []string{`"suffices":[]`, `"uses":[]`, `"codes":[]`, `"blockers":[]`} {
		require.Contains(t, text, want)
	}
	e = record.Explanation{Miss: &record.Miss{Blockers: []record.Blocker{{}}}}
	text = asJSON(t, e)
	require.Contains(t, text, `"terms":[],"facts":[]`)
	require.Contains(t, text, `"terms":[]}]}`)
	require.Contains(t, asJSON(t, record.Difference{}), `"changes":[]`)
	require.Contains(t, asJSON(t, record.Verification{}), `"breaks":[]`)
}

func TestTextThatIsNotUTF8HasTheSameBytesAfterJSON(t *testing.T) {
	e := recordtest.False()
	e.Facts[0].Value = record.Value(rules.TextOf("caf\xe9 \xff\xfe"))
	e.Facts[0].Codes = []string{"local|\xe9"}
	e.Facts[0].Unit = "\xe9g"
	e.Seal(1, record.Genesis)
	written, err := json.Marshal(e)
	require.NoError(t, err)
	got := &record.Explanation{}
	require.NoError(t, json.Unmarshal(written, got))
	require.NoError(t, got.Check())
	stored, err := record.Unmarshal(e.Marshal())
	require.NoError(t, err)
	require.Equal(t, got, stored)
}

func number(x float64) record.Value { return record.Value(rules.NumberOf(x)) }
