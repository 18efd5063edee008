package archive

import (
	"context"
	"log/slog"

	"github.com/cockroachdb/redact"
)

// logger gives Pebble's messages to slog, without what Pebble does not mark as safe to show.
type logger struct{ to *slog.Logger }

func (l logger) log(level slog.Level, message string, args ...any) {
	if l.to != nil {
		l.to.Log(context.Background(), level, message, args...)
	}
}

func (l logger) text(format string, args []any) string {
	return string(redact.Sprintf(format, args...).Redact().StripMarkers())
}

func (l logger) Infof(format string, args ...any) {
	if l.to != nil && l.to.Enabled(context.Background(), slog.LevelDebug) {
		l.log(slog.LevelDebug, "pebble", "event", l.text(format, args))
	}
}

func (l logger) Errorf(format string, args ...any) {
	l.log(slog.LevelError, "pebble", "event", l.text(format, args))
}

// Fatalf is what Pebble calls when it cannot write its log any more: nothing that it said afterwards
// would be true, so the process ends. The state is on disk up to an earlier position.
func (l logger) Fatalf(format string, args ...any) {
	text := l.text(format, args)
	l.log(slog.LevelError, "pebble cannot go on", "event", text)
	panic("archive: pebble cannot go on: " + text)
}
