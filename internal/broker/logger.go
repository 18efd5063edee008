package broker

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kfake"
)

// logger passes the broker's warnings and errors on. Its finer levels print requests with the keys and
// groups in them, and are dropped.
type logger struct{ to *slog.Logger }

// Logf implements kfake.Logger.
func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	if l.to == nil || level > kfake.LogLevelWarn {
		return
	}
	at := slog.LevelWarn
	if level == kfake.LogLevelError {
		at = slog.LevelError
	}
	l.to.Log(context.Background(), at, "broker: "+fmt.Sprintf(format, args...))
}
