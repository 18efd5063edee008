package main

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/render"
)

// isTerminal says whether a person is looking.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

const (
	defaultWidth = 100
	leastWidth   = 40
)

// width is how many columns a text may take.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return max(columns, leastWidth)
		}
	}
	if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns > 0 {
		return max(columns, leastWidth)
	}
	return defaultWidth
}

// color says whether the standard output is for a person who has not said otherwise (https://no-color.org).
func (a *app) color() bool { return isTerminal(a.stdout) && os.Getenv("NO_COLOR") == "" }

// textOptions are those of an explanation on the standard output.
func (a *app) textOptions(e *record.Explanation) render.TextOptions {
	return render.TextOptions{Color: a.color(), Width: width(a.stdout)}
}
