package rules

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func instantAt(s string) clinical.Instant {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return clinical.At(t)
}

func TestMessagesAreWrittenAsCliniciansWrite(t *testing.T) {
	p, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte(`
pack: p
zone: Europe/London
inputs:
  k: {observation: any}
rules:
  - id: r
    title: Potassium
    severity: info
    source: s
    when: k.exists()
    message: |
      {{k.last()}} of {{ k.mean('7d') }} at {{ k.last_time() }},
      {{ k.hours_since() }} h ago, aged {{ patient.age }}; {{ k.active() }} {{ patient.sex }} {{ k.last() }}
  - {id: s, title: Only a title, severity: info, source: s, when: k.exists()}
`)}}, CompileOptions{})
	require.NoError(t, err)
	values := slots(p, map[string]Value{
		"k.last()": NumberOf(1.2 + 0.7), "k.mean('7d')": NumberOf(110. / 3), "k.last_time()": TimeOf(instantAt("2024-07-01T10:30:59Z")),
		"k.hours_since()": NumberOf(5.99), "k.active()": BoolOf(true), "patient.sex": TextOf("female"),
	})
	require.Equal(t, "1.9 of 36.6667 at 2024-07-01 11:30,\n5 h ago, aged –; true female 1.9", p.Rules[0].Message.Render(values))
	require.Empty(t, p.Rules[1].Message.Render(values), "a title is shown once")
	require.Len(t, p.Rules[0].Message.Terms, 7)
}

func TestValuesAreWrittenForReadersAndForJSON(t *testing.T) {
	for _, c := range []struct {
		value      Value
		text, json string
	}{
		{NumberOf(1.9), "1.9", "1.9"}, {NumberOf(2.2 - 0.3), "1.9", "1.9"}, {NumberOf(0.1 + 0.2), "0.3", "0.3"}, {NumberOf(7), "7", "7"},
		{NumberOf(1234567.25), "1234567.25", "1234567.25"}, {NumberOf(0), "0", "0"}, {NumberOf(-0.5), "-0.5", "-0.5"},
		{NumberOf(1e-9), "1e-09", "1e-09"}, {bound(clinical.Below, 5), "<5", `"\u003c5"`}, {bound(clinical.Above, 0.1), ">0.1", `"\u003e0.1"`},
		{BoolOf(true), "true", "true"}, {TextOf("a\"b"), `a"b`, `"a\"b"`}, {Value{}, "–", "null"},
		{TimeOf(instantAt("2024-07-01T10:30:59Z")), "2024-07-01T10:30:59Z", `"2024-07-01T10:30:59Z"`},
	} {
		require.Equal(t, c.text, c.value.String())
		data, err := json.Marshal(c.value)
		require.NoError(t, err)
		require.Equal(t, c.json, string(data))
	}
}

func TestDurationsAndWindowsReadAndWriteTheSameWay(t *testing.T) {
	for text, want := range map[string]string{
		"48h": "48h", "2d": "48h", "1d": "24h", "7d": "7d", "1w": "7d", "168h": "7d", "90d": "90d", "36h": "36h", "1y6mo": "1y6mo",
		"18mo": "1y6mo", "90m": "1h30m", "1h30m": "1h30m", "1500ms": "1s500ms", "365d..8d": "365d..8d", "1y..1w": "1y..7d", " 48h .. 1h ": "48h..1h",
		"48h..0h": "48h", "4d1h": "4d1h", "72h": "72h",
	} {
		w, c := parseWindow(text)
		require.Nil(t, c, text)
		require.Equal(t, want, w.String(), text)
		again, c := parseWindow(want)
		require.Nil(t, c, text)
		require.Equal(t, w, again, text)
	}
	require.Equal(t, "", Window{All: true}.String())
	require.Equal(t, "0s", Duration{}.String())
}

func TestWindowsFollowTheCalendarOfTheZone(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	require.NoError(t, err)
	for _, c := range []struct{ window, now, lower, upper string }{
		{"48h", "2024-03-31T12:00:00Z", "2024-03-29T12:00:00Z", "2024-03-31T12:00:00Z"},
		{"1mo", "2024-04-15T11:00:00Z", "2024-03-15T12:00:00Z", "2024-04-15T11:00:00Z"}, // noon on the wall, before and after the clocks change
		{"1mo", "2024-03-31T11:00:00Z", "2024-02-29T23:59:59.999Z", "2024-03-31T11:00:00Z"},
		{"1mo", "2023-03-29T11:00:00Z", "2023-02-28T23:59:59.999Z", "2023-03-29T11:00:00Z"},
		{"1y", "2024-02-29T08:00:00Z", "2023-02-28T23:59:59.999Z", "2024-02-29T08:00:00Z"},
		{"1y6mo", "2024-01-15T00:00:00Z", "2022-07-14T23:00:00Z", "2024-01-15T00:00:00Z"},
		{"1mo1d", "2024-05-31T11:00:00Z", "2024-04-29T22:59:59.999Z", "2024-05-31T11:00:00Z"},
		{"365d..8d", "2024-01-09T00:00:00Z", "2023-01-09T00:00:00Z", "2024-01-01T00:00:00Z"},
	} {
		w, fault := parseWindow(c.window)
		require.Nil(t, fault)
		now := instantAt(c.now)
		require.Equal(t, c.lower, w.Lower(now, london).String(), c.window)
		require.Equal(t, c.upper, w.Upper(now, london).String(), c.window)
	}
	require.Equal(t, clinical.Never, Window{All: true}.Lower(0, london))

	last := map[int]clinical.Instant{}
	for now := instantAt("2023-01-25T00:00:00Z"); now < instantAt("2024-06-01T00:00:00Z"); now += 1_700_000 {
		for _, months := range []int{1, 11, 12, 18} {
			before := Duration{Months: months}.Before(now, london)
			require.GreaterOrEqual(t, before, last[months], "%d months before %s", months, now)
			last[months] = before
		}
	}
}

func TestAgesCompleteAtTheStartOfTheBirthday(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	require.NoError(t, err)
	for _, c := range []struct {
		birth, now string
		months     int
	}{
		{"1980-06-15T00:00:00+01:00", "2000-06-14T22:59:59Z", 239},
		{"1980-06-15T00:00:00+01:00", "2000-06-14T23:00:00Z", 240},
		{"2000-02-29T00:00:00Z", "2001-02-27T23:59:59Z", 11},
		{"2000-02-29T00:00:00Z", "2001-02-28T00:00:00Z", 12},
		{"2000-01-31T00:00:00Z", "2000-02-29T00:00:00Z", 1},
		{"2000-01-31T00:00:00Z", "2000-01-31T00:00:00Z", 0},
	} {
		months, ok := CompletedMonths(instantAt(c.birth), instantAt(c.now), london)
		require.True(t, ok)
		require.Equal(t, c.months, months, "%s at %s", c.birth, c.now)
		require.LessOrEqual(t, Birthday(instantAt(c.birth), months, london), instantAt(c.now))
		require.Greater(t, Birthday(instantAt(c.birth), months+1, london), instantAt(c.now))
	}
	_, ok := CompletedMonths(clinical.Never, 0, london)
	require.False(t, ok)
}

func TestKleenesTables(t *testing.T) {
	truths := []Truth{False, True, Unknown}
	and := [3][3]Truth{{False, False, False}, {False, True, Unknown}, {False, Unknown, Unknown}}
	or := [3][3]Truth{{False, True, Unknown}, {True, True, True}, {Unknown, True, Unknown}}
	for _, x := range truths {
		for _, y := range truths {
			require.Equal(t, and[x][y], And(x, y))
			require.Equal(t, or[x][y], Or(x, y))
			require.Equal(t, Not(And(x, y)), Or(Not(x), Not(y)))
		}
	}
}
