package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

const routesFile = "routes.json"

// Routes says where the API server comes out when it dials an address: by
// "ADDRESS:PORT" as the API server has it, "ADDRESS:PORT" of this machine.
type Routes map[string]string

// Routes are those of the running cluster.
func (a *Access) Routes() (Routes, error) {
	data, err := os.ReadFile(filepath.Join(a.runDir, routesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Routes{}, nil
	}
	if err != nil {
		return nil, err
	}
	routes := Routes{}
	if err := json.Unmarshal(data, &routes); err != nil {
		return nil, fmt.Errorf("%s: %w", routesFile, err)
	}
	return routes, nil
}

// Route has the API server reach address at target, from its next connection
// on: what a node says its address is, and where QEMU forwards it, say. The
// target is on loopback. An empty one takes the route away.
func (a *Access) Route(address, target string) error {
	if err := checkAddress(address); err != nil {
		return err
	}
	if target != "" {
		if err := checkAddress(target); err != nil {
			return err
		}
		if !onLoopback(target) {
			return fmt.Errorf("route to %s: only to this machine's loopback", target)
		}
	}
	// One change at a time, from whichever process.
	unlock, err := Lock(context.Background(), filepath.Join(a.runDir, accessName), nil)
	if err != nil {
		return err
	}
	defer unlock()
	routes, err := a.Routes()
	if err != nil {
		return err
	}
	routes[address] = target
	if target == "" {
		delete(routes, address)
	}
	data, err := json.MarshalIndent(routes, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(a.runDir, routesFile), data)
}

func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return fmt.Errorf("address %q: HOST:PORT is wanted", address)
	}
	return nil
}

func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// dialNode is where the API server's connections come out. Other machines are
// out of reach: it dials loopback, and what Options.DialNode dials.
func (c *Cluster) dialNode(ctx context.Context, network, address string) (net.Conn, error) {
	routes, err := c.Routes()
	if err != nil {
		return nil, err
	}
	if target, ok := routes[address]; ok {
		address = target
	}
	if onLoopback(address) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", address)
	}
	if c.opts.DialNode != nil {
		return c.opts.DialNode(ctx, network, address)
	}
	return nil, fmt.Errorf("no route to %s: testcluster route %s 127.0.0.1:PORT", address, address)
}
