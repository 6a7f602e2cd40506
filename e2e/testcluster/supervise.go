package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"femtokubelet.dev/e2e/cluster"
)

// supervise starts a cluster for "up", then watches over it until it is told
// to stop (SIGTERM from "down") or a component ends by itself.
func supervise(ctx context.Context, a *arguments) error {
	pipe := os.NewFile(3, "messages")
	tell := json.NewEncoder(pipe)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	detached := make(chan struct{})
	go func() {
		word, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		if word == detachWord {
			close(detached)
			return
		}
		cancel() // "up" has gone before the cluster was ready
	}()
	dir, err := clusterDir(a.name)
	if err == nil {
		var c *cluster.Cluster
		c, err = startWithState(ctx, a, dir, func(step, detail string, elapsed time.Duration) {
			tell.Encode(message{Step: step, Detail: detail, Elapsed: elapsed})
		})
		if err == nil {
			tell.Encode(message{Ready: true})
			select {
			case <-detached:
				pipe.Close()
			case <-ctx.Done():
			}
			return watch(ctx, c)
		}
	}
	tell.Encode(message{Error: err.Error()})
	return err
}

// foreground is up and supervise in one process.
func foreground(ctx context.Context, a *arguments, dir string, show *printer, unlock func()) error {
	c, err := startWithState(ctx, a, dir, show.progress)
	show.finish()
	if err != nil {
		return err
	}
	if err := printUp(a, c.RunDir()); err != nil {
		return errors.Join(err, c.Stop())
	}
	unlock() // "down" from elsewhere may stop us
	fmt.Println("  Ctrl-C stops it")
	return watch(ctx, c)
}

func startWithState(ctx context.Context, a *arguments, dir string, progress cluster.Progress) (*cluster.Cluster, error) {
	c, err := cluster.Start(ctx, a.options(dir, progress))
	if err != nil {
		return nil, err
	}
	if err := writeState(c); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func watch(ctx context.Context, c *cluster.Cluster) error {
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-c.Failed():
		// A control plane with a hole would make tests fail in odd ways.
		failure = fmt.Errorf("%w; the cluster is taken down", failure)
		fmt.Fprintf(os.Stderr, "%s testcluster: %v\n", time.Now().Format(time.RFC3339), failure)
	}
	return errors.Join(failure, c.Stop())
}
