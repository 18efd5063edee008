//go:build kafka

package kafkatest

import "syscall"

// owned lets a child end with this process also when this process is killed.
func owned() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
