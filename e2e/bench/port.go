package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"femtokubelet.dev/e2e/board"
	"femtokubelet.dev/e2e/cluster"
)

// scrapes of /metrics on one connection, between two looks at the board's time.
const scrapes = 20

// inbound is a board whose port is reached by way of QEMU's user network.
type inbound struct {
	trial
	address string // of this machine, leads to the board's port
	client  tls.Certificate
}

func newInbound(image string, c *cluster.Cluster, shift *int) (*inbound, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, err
	}
	client, err := c.KubeletClient()
	if err != nil {
		return nil, err
	}
	in := &inbound{address: address, client: client}
	in.trial = trial{
		name: "bench-port", image: image, cluster: c, shift: shift,
		more:     map[string]string{"api-server-user": cluster.KubeletClientUser},
		clientCA: c.CAFile(),
		network:  []string{"-netdev", "user,id=" + board.NetworkID + ",hostfwd=tcp:" + address + "-:10250"},
	}
	return in, nil
}

// open is one connection of its own, and a request on it.
func (in *inbound) open(ctx context.Context) (*http.Client, error) {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{in.client}, InsecureSkipVerify: true},
		MaxConnsPerHost: 1,
	}
	client := &http.Client{Transport: transport, Timeout: startTimeout}
	return client, in.scrape(ctx, client)
}

func (in *inbound) scrape(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+in.address+"/metrics", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/metrics: %s", response.Status)
	}
	return nil
}

// firstOpen is open, again until the board listens.
func (in *inbound) firstOpen(ctx context.Context) (*http.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		client, err := in.open(ctx)
		if err == nil {
			return client, nil
		}
		if sleep(ctx, 200*time.Millisecond) != nil {
			return nil, fmt.Errorf("the board's port: %w", err)
		}
	}
}

// measure is memory with two connections open, and what a scrape costs on one.
func (in *inbound) measure(ctx context.Context) ([]figure, error) {
	b, end, err := in.up(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	first, err := in.firstOpen(ctx)
	if err != nil {
		return nil, err
	}
	second, err := in.open(ctx)
	if err != nil {
		return nil, err
	}
	each, err := in.perScrape(ctx, b, first)
	if err != nil {
		return nil, err
	}
	if err := in.scrape(ctx, second); err != nil {
		return nil, err
	}
	s, err := read(ctx, b)
	if err != nil {
		return nil, err
	}
	return []figure{
		{"server_node_heap_peak_bytes", s["heap-peak"], "B"},
		{"server_heap_peak_bytes", s["port-heap-peak"], "B"},
		{"server_heap_open_bytes", s["port-heap-used"], "B"},
		{"server_stack_peak_bytes", s["stack-peak"], "B"},
		{"metrics_scrape_instructions", each * perMicrosecond, "instructions"},
	}, nil
}

// perScrape is the time awake for one, less what looking takes and what the node
// does anyway meanwhile.
func (in *inbound) perScrape(ctx context.Context, b *board.Board, client *http.Client) (float64, error) {
	if err := in.scrape(ctx, client); err != nil { // the answers about us are remembered now
		return 0, err
	}
	first, err1 := read(ctx, b)
	begin, err2 := read(ctx, b)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	for range scrapes {
		if err := in.scrape(ctx, client); err != nil {
			return 0, err
		}
	}
	after, err := read(ctx, b)
	asking := begin["busy-us"] - first["busy-us"]
	return (after["busy-us"] - begin["busy-us"] - asking) / scrapes, err
}
