package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
)

// Ports come from below the kernel's ephemeral range: a port out of that range
// may be taken by any outgoing connection while the API server is stopped, and
// it could not come back at the same address.
const (
	lowestPort         = 20000
	defaultEphemeral   = 32768
	portAttempts       = 1000
	ephemeralRangeFile = "/proc/sys/net/ipv4/ip_local_port_range"
)

// portClaim keeps one port for us until released. The claim is an abstract
// Unix socket: it covers the same network namespace as the port does, and
// vanishes with the process, however that ends.
type portClaim struct {
	port int
	hold net.Listener
}

func (c *portClaim) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)) }
func (c *portClaim) url() string     { return "https://" + c.address() }
func (c *portClaim) release()        { c.hold.Close() }

func claimPort() (*portClaim, error) {
	highest := ephemeralStart() - 1
	for range portAttempts {
		port := lowestPort + rand.IntN(highest-lowestPort+1)
		hold, err := net.Listen("unix", fmt.Sprintf("@femtokubelet-testcluster-port-%d", port))
		if err != nil {
			continue // another cluster's
		}
		claim := &portClaim{port: port, hold: hold}
		probe, err := net.Listen("tcp", claim.address())
		if err == nil {
			probe.Close()
			return claim, nil
		}
		claim.release()
	}
	return nil, fmt.Errorf("no free port on 127.0.0.1 between %d and %d", lowestPort, highest)
}

// claimPorts claims n ports or none.
func claimPorts(n int) ([]*portClaim, error) {
	var claims []*portClaim
	for range n {
		claim, err := claimPort()
		if err != nil {
			releasePorts(claims)
			return nil, err
		}
		claims = append(claims, claim)
	}
	return claims, nil
}

func releasePorts(claims []*portClaim) {
	for _, claim := range claims {
		claim.release()
	}
}

func ephemeralStart() int {
	data, err := os.ReadFile(ephemeralRangeFile)
	if err != nil {
		return defaultEphemeral
	}
	var low, high int
	if _, err := fmt.Sscan(string(data), &low, &high); err != nil || low <= lowestPort+100 {
		return defaultEphemeral
	}
	return low
}
