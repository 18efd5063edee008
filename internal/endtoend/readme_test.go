package endtoend

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shown is one command of the README and what the README says that it prints.
type shown struct {
	command, output string
}

// workedExample finds the commands of the README's worked example.
func workedExample(t *testing.T) (commands []shown) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## A worked example\n")
	require.True(t, found, "the README has no worked example")
	section, _, _ = strings.Cut(section, "\n## ")
	for i, block := range strings.Split(section, "\n```") {
		text, isConsole := strings.CutPrefix(block, "console\n")
		if i%2 == 0 || !isConsole {
			continue
		}
		for line := range strings.Lines(text + "\n") {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				commands = append(commands, shown{command: strings.TrimSpace(command)})
			} else {
				require.NotEmpty(t, commands, "output before the first command")
				commands[len(commands)-1].output += line
			}
		}
	}
	return commands
}

// rate is what differs from one ingest to the next.
var rate = regexp.MustCompile(`in [0-9.]+s \([0-9,]+/s\)`)

func TestTheWorkedExampleOfTheREADMEPrintsWhatItShows(t *testing.T) {
	const usual = "http://127.0.0.1:8080" // where the README's service listens
	commands := workedExample(t)
	require.Greater(t, len(commands), 5)
	t.Chdir(filepath.Join("..", ".."))
	var s *server
	ran := map[string]bool{}
	for _, c := range commands {
		words := strings.Fields(c.command)
		name := words[0]
		if name == "./vigil" {
			name = words[1]
		}
		ran[name] = true
		var out string
		switch name {
		case "go": // TestMain has built it
			require.Equal(t, "go build ./cmd/vigil", c.command)
		case "serve":
			require.Equal(t, "&", words[len(words)-1])
			s = serve(t, t.TempDir(), words[2:len(words)-1]...)
			out = "listening on " + s.url + "\n"
		case "curl":
			path, ok := strings.CutPrefix(words[len(words)-1], usual)
			require.True(t, ok, c.command)
			_, _, body := s.send("GET", path, "", nil)
			out = string(body)
		default:
			args := words[1:]
			if name == "ingest" || name == "alerts" || name == "explain" {
				args = append(args, "--server", s.url)
			}
			var code int
			out, code = vigil(t, args...)
			require.Zero(t, code, c.command)
		}
		if s != nil {
			out = strings.ReplaceAll(out, s.url, usual)
		}
		require.Equal(t, rate.ReplaceAllString(c.output, "in a moment"), rate.ReplaceAllString(out, "in a moment"), c.command)
	}
	for _, name := range []string{"rules", "eval", "replay", "serve", "ingest", "alerts", "explain"} {
		require.True(t, ran[name], "the example does not show vigil %s", name)
	}
	s.stop()
}

// What the README quotes of a file is in that file.
func TestTheREADMEQuotesTheExamplesAsTheyAre(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```yaml\n")
	require.True(t, found)
	quoted, _, _ := strings.Cut(rest, "```")
	pack, err := os.ReadFile(filepath.Join("..", "..", "examples", "kidney.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(pack), quoted)

	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(string(text), -1) {
		_, err := os.Stat(filepath.Join("..", "..", m[1]))
		require.NoError(t, err, "the README leads nowhere")
	}
}
