package archive

import (
	"context"
	"log/slog"

	"github.com/cockroachdb/redact"

	"github.com/vigil-cds/vigil/internal/disk"
)

// logger gives Pebble's messages to slog, without what Pebble does not mark as safe to show.
type logger struct {
	to    *slog.Logger
	watch *disk.Watch
}

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

// Fatalf is what Pebble calls when it cannot go on.
func (l logger) Fatalf(format string, args ...any) { l.watch.Fatalf(format, args...) }
