package rules

import (
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
	require.Len(t, blocks, 4)
	for _, block := range blocks {
		_, err := Compile([]clinical.File{{Name: "guide.yaml", Data: []byte(block[1])}}, CompileOptions{})
		require.NoError(t, err, block[1])
	}

	_, table, _ := strings.Cut(guide, "| question | answer |")
	table, _, _ = strings.Cut(table, "\n\n")
	var messages strings.Builder
	questions := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(table, -1)
	require.GreaterOrEqual(t, len(questions), len(opNames)-1, "the guide names every question but overlaps, which is for `where`")
	for _, q := range questions {
		messages.WriteString("{{ " + q[1] + " }} ")
	}
	_, err = Compile([]clinical.File{{Name: "guide.yaml", Data: []byte(blocks[1][1] +
		"rules:\n- {id: r, title: t, severity: info, source: s, when: glucose.exists(), message: \"" + messages.String() + "\"}\n")}}, CompileOptions{})
	require.NoError(t, err)
	for op, name := range opNames {
		if Op(op) != Overlaps {
			require.Contains(t, table, "."+name)
		}
	}

	_, properties, _ := strings.Cut(guide, "the fact's properties: ")
	properties, _, _ = strings.Cut(properties, ".\n")
	listed := strings.Split(properties, ", ")
	require.Len(t, listed, len(attributeTypes))
	for _, name := range listed {
		require.Contains(t, attributeTypes, name)
	}
}
