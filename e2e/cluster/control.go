package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// apiserverGrace is how long a stopping API server may take to say good-bye
// to its clients before it is killed.
const apiserverGrace = 5 * time.Second

// spawn starts a component and watches over it: if it ends without being
// asked to, Failed hears of it.
func (c *Cluster) spawn(name string, args []string) (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.stopping:
		return nil, errors.New("the cluster is stopping")
	default:
	}
	p, err := c.spawner.startProcess(c.binary, name, args, c.runDir, c.logDir)
	if err != nil {
		return nil, err
	}
	c.processes[name] = p
	go c.watch(p)
	return p, nil
}

func (c *Cluster) watch(p *process) {
	<-p.done
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.processes[p.name] != p {
		return // stopped on purpose
	}
	select {
	case c.failed <- fmt.Errorf("%s ended (%v); see %s", p.name, p.err, p.logFile):
	default:
	}
}

// take removes a component from the list, so that its end is no failure.
func (c *Cluster) take(name string) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.processes[name]
	delete(c.processes, name)
	return p
}

// Failed delivers an error if a component ends by itself. The others go on
// running until Stop.
func (c *Cluster) Failed() <-chan error { return c.failed }

// Processes lists the components that run now, by name.
func (c *Cluster) Processes() map[string]ProcessID {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := map[string]ProcessID{}
	for name, p := range c.processes {
		ids[name] = p.id
	}
	return ids
}

// StopAPIServer ends the API server in good order, so that clients with
// HTTP/2 see a GOAWAY; etcd and its data stay. It is no error if it is down.
func (c *Cluster) StopAPIServer() error { return c.endAPIServer(apiserverGrace) }

// KillAPIServer ends the API server as a crash would.
func (c *Cluster) KillAPIServer() error { return c.endAPIServer(0) }

func (c *Cluster) endAPIServer(grace time.Duration) error {
	p := c.take(apiserverName)
	if p == nil {
		return nil
	}
	return p.stop(grace)
}

// StartAPIServer starts the API server again, at the same address and with
// the same data, and returns when it is ready.
func (c *Cluster) StartAPIServer(ctx context.Context) error {
	c.mu.Lock()
	p := c.processes[apiserverName]
	c.mu.Unlock()
	if p == nil {
		var err error
		if p, err = c.spawn(apiserverName, c.apiserverArgs()); err != nil {
			return err
		}
	}
	return await(ctx, p, "readiness", func(ctx context.Context) error {
		return get(ctx, c.admin, c.url+"/readyz")
	})
}

// SetServingCertificate gives the API server another certificate to show, for
// tests with odd ones. A running API server takes it up by itself soon; poll
// for it. Our own clients insist on a good certificate: with another one,
// kubectl and the controllers fail, and StartAPIServer sees no readiness.
func (c *Cluster) SetServingCertificate(pair *KeyPair) error {
	return c.pki.write("apiserver", pair)
}

// Stop ends all components and removes everything but the logs, and those too
// if Options.Dir was empty. Calls after the first return the same result.
func (c *Cluster) Stop() error {
	c.stopOnce.Do(func() { c.stopErr = c.stop() })
	return c.stopErr
}

func (c *Cluster) stop() error {
	c.mu.Lock()
	close(c.stopping)
	processes := c.processes
	c.processes = map[string]*process{}
	c.mu.Unlock()

	// Killed, not asked: the data goes as well, so there is nothing to save.
	var errs []error
	for _, p := range processes {
		p.command.Process.Kill()
	}
	for _, p := range processes {
		errs = append(errs, p.stop(0))
	}
	if c.spawner != nil {
		c.spawner.close()
	}
	if c.egress != nil {
		c.egress.close()
	}
	if c.admin != nil {
		c.admin.CloseIdleConnections()
	}
	releasePorts(c.claims)
	if c.janitor != nil {
		if err := c.janitor.clean(); err != nil {
			errs = append(errs, fmt.Errorf("remove %s: %w", c.runDir, err))
		}
	} else if c.tempDir != "" {
		errs = append(errs, os.RemoveAll(c.tempDir))
	}
	return errors.Join(errs...)
}
