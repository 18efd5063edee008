package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/config"
)

const deployDir = "../../deploy"

// metricNames lists what a service with every role measures.
func metricNames(t *testing.T) map[string]bool {
	t.Helper()
	c := config.Default()
	c.Data = t.TempDir()
	c.Roles = append(c.Roles, config.RoleSource)
	c.Source.Topics, c.Source.Mapping = []string{"hospital"}, "../../examples/cdc/mapping.yaml"
	e, err := startEngine(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, e.close()) }()
	e.server(c, slog.New(slog.DiscardHandler))
	names := map[string]bool{"up": true}
	descriptions := make(chan *prometheus.Desc, 10_000)
	e.registry.Describe(descriptions)
	close(descriptions)
	fq := regexp.MustCompile(`fqName: "([^"]+)"`)
	for d := range descriptions {
		name := fq.FindStringSubmatch(d.String())[1]
		names[name], names[name+"_bucket"] = true, true
	}
	return names
}

var metricName = regexp.MustCompile(`\b(vigil_[a-z_]+|process_[a-z_]+|go_[a-z_]+)\b`)

func TestAlertsAndBoardAskForMetricsThatThereAre(t *testing.T) {
	names := metricNames(t)
	asked := 0
	for _, file := range []string{"prometheus/vigil.rules.yaml", "grafana/vigil.json", "README.md"} {
		data, err := os.ReadFile(filepath.Join(deployDir, file))
		require.NoError(t, err)
		for _, name := range metricName.FindAllString(string(data), -1) {
			require.True(t, names[name], "%s asks for %s", file, name)
			asked++
		}
	}
	require.Greater(t, asked, 30)
	var board struct{ Panels []struct{ Title string } }
	data, err := os.ReadFile(filepath.Join(deployDir, "grafana/vigil.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &board))
	require.NotEmpty(t, board.Panels)
}

func TestEveryAlertIsExplained(t *testing.T) {
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations struct{ Summary string }
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(deployDir, "prometheus/vigil.rules.yaml"))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(data, &rules))
	guide, err := os.ReadFile(filepath.Join(deployDir, "README.md"))
	require.NoError(t, err)
	alerts := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			alerts++
			require.NotEmpty(t, r.Expr)
			require.NotEmpty(t, r.Annotations.Summary)
			require.Contains(t, string(guide), "**"+r.Alert+".**")
		}
	}
	require.Greater(t, alerts, 10)
}

var variable = regexp.MustCompile(`\bVIGIL_[A-Z_]+`)

func TestManifestsSetKnobsThatThereAre(t *testing.T) {
	var knobs bytes.Buffer
	c := config.Default()
	require.NoError(t, c.Print(&knobs))
	known := knobs.String()
	err := filepath.WalkDir(deployDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, name := range variable.FindAllString(string(data), -1) {
			require.Contains(t, known, name, "%s sets %s", path, name)
		}
		if filepath.Ext(path) == ".yaml" {
			for i, document := range strings.Split(string(data), "\n---\n") {
				var any map[string]any
				require.NoError(t, yaml.Unmarshal([]byte(document), &any), "%s, document %d", path, i)
			}
		}
		return nil
	})
	require.NoError(t, err)
}

func TestTheSettingsInTheManifestAreSettings(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(deployDir, "kubernetes/vigil.yaml"))
	require.NoError(t, err)
	var settings struct{ Data map[string]string }
	require.NoError(t, yaml.Unmarshal([]byte(strings.Split(string(data), "\n---\n")[0]), &settings))
	file := filepath.Join(t.TempDir(), "vigil.yaml")
	require.NoError(t, os.WriteFile(file, []byte(settings.Data["vigil.yaml"]), 0o600))
	c, err := config.Load(config.Sources{File: file, Environ: []string{"VIGIL_ADVERTISE=http://vigil-0.vigil-instances:8080"}})
	require.NoError(t, err)
	require.Equal(t, 1, c.Kafka.Standby)
	require.Equal(t, 3, c.Kafka.Replication)
}
