//go:build kafka && !linux

package kafkatest

import "syscall"

// owned leaves a child as it is where the system cannot end it with this process.
func owned() *syscall.SysProcAttr { return nil }
