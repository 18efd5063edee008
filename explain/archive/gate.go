package archive

import "sync"

// gate counts who is using the database, so that it is closed when nobody is: Pebble panics when it is
// used after Close. Unlike a sync.RWMutex it may be entered again by who is inside while another waits
// to shut it, and is then refused instead of waiting for ever.
type gate struct {
	mu     sync.Mutex
	inside int
	closed bool
	empty  sync.Cond // L is mu
}

func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	g.inside++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	if g.inside--; g.inside == 0 && g.closed {
		g.empty.Broadcast()
	}
	g.mu.Unlock()
}

// shut lets nobody in any more and waits until nobody is inside.
func (g *gate) shut() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	for g.closed = true; g.inside > 0; {
		g.empty.Wait()
	}
	return nil
}

// open returns ErrClosed when the gate is shut, for what needs no database.
func (g *gate) open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	return nil
}
