package endtoend

// log is where servers keep their log: in a broker inside one of them, or, with the build tag kafka, in a
// real Kafka. All else about the tests is the same.
type log struct {
	broker string // host:port
	prefix string // of topics and groups
}

// flags let another server or command use the log.
func (l log) flags() []string { return []string{"--brokers", l.broker, "--kafka-prefix", l.prefix} }
