package web

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThePageLoadsNothingFromElsewhere(t *testing.T) {
	require.NotEmpty(t, Page)
	for _, reference := range regexp.MustCompile(`(?:src|href|action)\s*=\s*"([^"]*)"|url\(([^)]*)\)`).FindAllStringSubmatch(string(Page), -1) {
		require.Regexp(t, `^(/[^/]|data:)`, reference[1]+reference[2])
	}
	require.NotContains(t, string(Page), "innerHTML")
}
