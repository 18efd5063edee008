package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vigil-cds/vigil/config"
)

// nothingLeft holds a test to leaving no goroutine behind, and nothing in the temporary directory.
func nothingLeft(t *testing.T) {
	t.Helper()
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, before, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
		left, err := os.ReadDir(temp)
		require.NoError(t, err)
		require.Empty(t, left)
	})
}

var smallDemo = []string{"demo", "--patients", "40", "--hours", "9", "--listen", "127.0.0.1:0"}

// askedAt is a line of the answers as time passes: when asked, the answer, until when, the position.
var askedAt = regexp.MustCompile(`(?m)^    (\w{3} .*\d) +(true|false|unknown) +(\w.*\w) +(f\d+\.\d+)$`)

func TestTheDemoShowsWhatTheEngineDoes(t *testing.T) {
	nothingLeft(t)
	r := vigil(t, "", append(slices.Clone(smallDemo), "--once")...)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Empty(t, r.errOut)
	require.NotContains(t, r.out, "\x1b", "no control sequences when nobody looks")

	for _, pattern := range []string{
		`^Vigil demo: \d+ published rules, 40 simulated patients, 9 hours from Sunday 1 March 2026 06:00 UTC\n`,
		`(?m)^http://127\.0\.0\.1:\d+, .*removed at the end$`,
		`(?m)^  Sun 1 Mar 1[45]:\d\d +[\d,]+ resources +\d+ fired +\d+ cleared$`,
		`(?m)^  [\d,]+ FHIR resources of \d+ patients in .* a second from the feed until readable$`,
		`(?m)^  [1-9][\d,]* alerts fired, [1-9]\d* cleared; [1-9]\d* timers`,
		`(?m)^Worklist: [1-9]\d* active alerts of [1-9]\d* patients`,
		`(?m)^  critical  ward-\d{5}  since .*\n {12}\S`,
		`(?m)^  in process, which rules hold +p50 +\d+\.\d µs +p99 +\d+\.\d µs +100,000 reads$`,
		`(?m)^  in process, cold: from Pebble +p50 .* reads$`,
		`(?m)^  over HTTP +p50 .* 2,000 reads$`,
		`Ended after .* s\.\n$`,
	} {
		require.Regexp(t, pattern, r.out)
	}

	_, shown, ok := strings.Cut(r.out, "  Time alone raised: ")
	require.True(t, ok, r.out)
	raised, cleared, ok := strings.Cut(shown, "  Time alone cleared: ")
	require.True(t, ok, r.out)
	require.Contains(t, raised, "(sepsis-3h-cultures-missing)")
	for _, c := range []struct {
		text   string
		raised bool
	}{{raised, true}, {cleared, false}} {
		rows := askedAt.FindAllStringSubmatch(c.text, -1)
		require.Len(t, rows, 4, c.text)
		holds := func(i int) bool { return rows[i][2] == "true" }
		require.Equal(t, !c.raised, holds(1), "a millisecond before:\n%s", c.text)
		require.Equal(t, c.raised, holds(2), "at the instant:\n%s", c.text)
		require.Equal(t, rows[2][1], strings.TrimSpace(rows[1][3]), "the answer before knew when it would end")
		for _, row := range rows {
			require.Equal(t, rows[0][4], row[4], "nothing arrived between")
		}
	}
}

func TestTheDemoServesUntilItIsStopped(t *testing.T) {
	nothingLeft(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	var errOut bytes.Buffer
	ended := make(chan int, 1)
	data := filepath.Join(t.TempDir(), "kept")
	go func() {
		code := run(ctx, append(slices.Clone(smallDemo), "--data", data), strings.NewReader(""), in, &errOut)
		in.Close()
		ended <- code
	}()
	var urls []string
	for lines := bufio.NewScanner(out); len(urls) < 3 && lines.Scan(); {
		if line := strings.TrimSpace(lines.Text()); strings.HasPrefix(line, "curl ") {
			urls = append(urls, regexp.MustCompile(`http://[^' ]+`).FindString(line))
		}
	}
	require.Len(t, urls, 3, errOut.String())
	go io.Copy(io.Discard, out)
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for i, wanted := range []string{`"severity":"critical"`, `"rule":"sepsis-3h-cultures-missing"`, "vigil_transitions_total"} {
		response, err := client.Get(urls[i])
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode, "%s", body)
		require.Contains(t, string(body), wanted)
	}
	stop()
	select {
	case code := <-ended:
		require.Equal(t, exitOK, code, errOut.String())
	case <-time.After(30 * time.Second):
		t.Fatal("the demo did not end")
	}
	require.Empty(t, errOut.String())
	require.DirExists(t, brokerDir(data), "what --data names is kept")

	again := vigil(t, "", append(slices.Clone(smallDemo), "--once", "--data", data)...)
	require.Equal(t, exitUsage, again.code)
	require.Contains(t, again.errOut, "vigil serve --clock log --data")
}

func TestADemoThatIsInterruptedSaysSo(t *testing.T) {
	nothingLeft(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "resources") {
				stop()
			}
		}
	}()
	var errOut bytes.Buffer
	code := run(ctx, append(slices.Clone(smallDemo), "--patients", "400"), strings.NewReader(""), in, &errOut)
	in.Close()
	require.Equal(t, exitFailed, code)
	require.Equal(t, "vigil: stopped before the end\n", errOut.String())
}

func TestADemoUsedWronglySaysWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--patients", "0"}, exitUsage, "use 1 to 100000"},
		{[]string{"--hours", "0"}, exitUsage, "use 1 to 8760"},
		{[]string{"--output", "json"}, exitUsage, "text only"},
		{[]string{"--listen", taken.Addr().String()}, exitFailed, "choose another address with --listen"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			nothingLeft(t)
			r := vigil(t, "", append([]string{"demo", "--once"}, c.args...)...)
			require.Equal(t, c.code, r.code, r.errOut)
			require.Contains(t, r.errOut, c.says)
		})
	}
}

func TestTheDemoTakesAnyPortWhenTheUsualOneIsTaken(t *testing.T) {
	usual, err := net.Listen("tcp", config.Default().Listen)
	if err == nil { // else somebody else has it already
		defer usual.Close()
	}
	l, err := (&demo{}).listen()
	require.NoError(t, err)
	require.NotEqual(t, config.Default().Listen, l.Addr().String())
	require.NoError(t, l.Close())
}

func TestNumbersAndLinesAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -123: "-123", -1234: "-1,234"} {
		require.Equal(t, want, grouped(n))
	}
	require.Equal(t, "1 alert", plural(1, "alert"))
	require.Equal(t, "2,000 alerts", plural(2000, "alert"))

	var out bytes.Buffer
	(&demo{app: &app{stdout: &out}}).indented(4, strings.Repeat("word ", 40))
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	require.Greater(t, len(lines), 1)
	for _, line := range lines {
		require.LessOrEqual(t, len(line), demoWidth)
		require.Regexp(t, `^    word`, line)
	}
}
