package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

const demoWidth = 100 // of what the demo prints, where it breaks lines

func (d *demo) printf(format string, args ...any) { fmt.Fprintf(d.stdout, format, args...) }

// heading begins a section.
func (d *demo) heading(format string, args ...any) {
	d.printf("\n%s\n", fmt.Sprintf(format, args...))
}

// indented prints text behind a margin, broken between words.
func (d *demo) indented(margin int, text string) {
	line := ""
	flush := func() {
		if line != "" {
			d.printf("%*s%s\n", margin, "", line)
		}
	}
	for _, word := range strings.Fields(text) {
		if line != "" && margin+len(line)+1+len(word) > demoWidth {
			flush()
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	flush()
}

// short is an instant of a simulation of days, to the minute.
func short(t time.Time) string { return t.UTC().Format("Mon 2 Jan 15:04") }

// exact is an instant to the last digit that the engine tells apart.
func exact(t clinical.Instant) string { return t.Time().Format("Mon 2 Jan 15:04:05.000") }

// grouped writes a number with its thousands apart.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural writes a number of things.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + one + "s"
}

func micros(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
}
