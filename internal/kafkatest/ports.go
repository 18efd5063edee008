//go:build kafka

package kafkatest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken below those that systems give to outgoing connections: while a node is down, nobody gets
// its port by chance, and a client that tries it does not connect to itself.
const (
	firstPort = 15000
	lastPort  = 32000
)

// freePorts returns addresses on loopback that nobody listens on.
func freePorts(n int) ([]string, error) {
	var open []net.Listener
	defer func() {
		for _, l := range open {
			_ = l.Close()
		}
	}()
	var addresses []string
	for range 1000 {
		if len(addresses) == n {
			return addresses, nil
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+rand.IntN(lastPort-firstPort)))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		open = append(open, l) // until all are found, so that none is found twice
		addresses = append(addresses, address)
	}
	return nil, fmt.Errorf("found no %d free ports from %d to %d on loopback", n, firstPort, lastPort)
}
