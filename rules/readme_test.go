package rules

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestEveryExampleOfTheGuideCompiles(t *testing.T) {
	data, err := os.ReadFile("README.md")
	require.NoError(t, err)
	guide := string(data)

	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(guide, -1)
	require.GreaterOrEqual(t, len(blocks), 3)
	var files []clinical.File
	for i, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(guide, -1) {
		files = append(files, clinical.File{Name: fmt.Sprintf("guide-%d.json", i), Data: []byte(block[1])})
	}
	for _, block := range blocks {
		_, err := Compile(append(files, clinical.File{Name: "guide.yaml", Data: []byte(block[1])}), CompileOptions{})
		require.NoError(t, err, block[1])
	}

	_, table, _ := strings.Cut(guide, "| question | answer |")
	table, _, _ = strings.Cut(table, "\n\n")
	var messages strings.Builder
	questions := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(table, -1)
	require.GreaterOrEqual(t, len(questions), int(PeriodStart)+int(BirthDate-Age), "the guide names every question but overlaps, which is of a period")
	for _, q := range questions {
		messages.WriteString("{{ " + q[1] + " }} ")
	}
	_, ofPeriods, _ := strings.Cut(guide, "## Once for each stay")
	_, ofPeriods, _ = strings.Cut(ofPeriods, "| question | answer |")
	ofPeriods, _, _ = strings.Cut(ofPeriods, "\n\n")
	_, err = Compile([]clinical.File{{Name: "guide.yaml", Data: []byte(blocks[1][1] +
		"rules:\n- {id: r, title: t, severity: info, source: s, when: glucose.exists(), message: \"" + messages.String() + "\"}\n")}}, CompileOptions{})
	require.NoError(t, err)
	for op, name := range opNames {
		if Op(op) != Overlaps && !Op(op).OfPeriod() {
			require.Contains(t, table, "."+name)
		}
		if Op(op).OfPeriod() {
			require.Contains(t, ofPeriods, "`"+name+"`")
		}
	}
}

func TestTheGuideSaysWhichKindsHaveWhichProperties(t *testing.T) {
	data, err := os.ReadFile("README.md")
	require.NoError(t, err)
	words := map[clinical.AttributeType]string{clinical.AttributeCodes: "code", clinical.AttributeValue: "as the input's", clinical.AttributeNumber: "number",
		clinical.AttributeQuantity: "number in a unit", clinical.AttributeText: "text", clinical.AttributeTime: "time", clinical.AttributeLength: "length of time"}
	want := "| property | type | of |\n|---|---|---|\n"
	for _, a := range clinical.Attributes() {
		var have, lack []string
		for k := clinical.KindObservation; k <= clinical.KindDevice; k++ {
			if a.Of(k) {
				have = append(have, k.String())
			} else {
				lack = append(lack, k.String())
			}
		}
		of := strings.Join(have, ", ")
		switch {
		case len(lack) == 0:
			of = "every kind"
		case len(lack) <= 3:
			of = "every kind but " + strings.Join(lack, ", ")
		}
		want += fmt.Sprintf("| `%s` | %s | %s |\n", a.Name, words[a.Type], of)
	}
	require.Contains(t, string(data), want)
}
