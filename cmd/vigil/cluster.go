package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/processor/group"
)

// cluster knows the other instances that share the partitions with this one. It implements api.Cluster.
type cluster struct {
	engine  *engine
	client  sarama.Client // for the directories that are this one's own
	rules   *group.Directory
	explain *group.Directory
	stop    context.CancelFunc
	joined  sync.WaitGroup
}

// directoryEvery is how often it is looked who owns what of the groups that this process is not told about.
const directoryEvery = time.Second

// startCluster begins to follow who owns what.
func (e *engine) startCluster() error {
	settings, err := e.config.ClientConfig("directory")
	if err != nil {
		return err
	}
	client, err := sarama.NewClient(e.config.Brokers, settings)
	if err != nil {
		return fmt.Errorf("looking who else is there: %w: %w", processor.ErrLogUnavailable, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	topics := e.config.Topics()
	c := &cluster{engine: e, client: client, stop: stop, explain: group.NewDirectory(client, topics.ExplainGroup, directoryEvery)}
	c.joined.Go(func() { c.explain.Run(ctx) })
	if e.processor != nil {
		c.rules = e.processor.Directory()
	}
	if c.rules == nil {
		c.rules = group.NewDirectory(client, topics.RulesGroup, directoryEvery)
		c.joined.Go(func() { c.rules.Run(ctx) })
	}
	e.cluster = c
	return nil
}

func (c *cluster) close() error {
	c.stop()
	c.joined.Wait()
	return c.client.Close()
}

func (c *cluster) directory(p api.Purpose) *group.Directory {
	if p.Explains() {
		return c.explain
	}
	return c.rules
}

// Answering implements api.Cluster: the owner, then a copy in this process, then copies elsewhere.
func (c *cluster) Answering(p api.Purpose, partition int32) []string {
	owned, copied := c.here(p, partition)
	if owned {
		return []string{""}
	}
	var urls []string
	add := func(m group.Member) {
		if m.URL != "" && m.Name != c.engine.config.Name() && !slices.Contains(urls, m.URL) {
			urls = append(urls, m.URL)
		}
	}
	roster := c.directory(p).Roster()
	owner, ok := roster.Owner(partition)
	if !ok {
		c.directory(p).Ask() // soon somebody will own it
	}
	add(owner)
	if copied {
		urls = append(urls, "")
	}
	for _, m := range roster.Standing(partition) {
		add(m)
	}
	return urls
}

// here says what this process has of the partition.
func (c *cluster) here(p api.Purpose, partition int32) (owned, copied bool) {
	switch e := c.engine; {
	case p.Explains():
		return e.explanations != nil && e.explanations.service.Follows(partition), false
	case e.processor == nil:
		return false, false
	default:
		of, ok := e.processor.Copy(partition)
		return of.Owned, ok
	}
}

// Others implements api.Cluster.
func (c *cluster) Others(p api.Purpose) (urls []string) {
	roster := c.directory(p).Roster()
	if roster == nil {
		return nil
	}
	for _, m := range roster.Members {
		if m.URL != "" && m.Name != c.engine.config.Name() {
			urls = append(urls, m.URL)
		}
	}
	return urls
}

// Partitions implements api.Cluster.
func (c *cluster) Partitions() int { return c.engine.config.Partitions }

// advertised is the URL at which others reach this process: the one that is set, or else the address that
// it listens at, when that is one.
func advertised(c config.Config, listener net.Addr) string {
	if c.Advertise != "" {
		return c.Advertise
	}
	address, ok := listener.(*net.TCPAddr)
	if !ok || address.IP.IsUnspecified() {
		return ""
	}
	return scheme(c) + "://" + address.String()
}
