package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"femtokubelet.dev/e2e/board"
	"femtokubelet.dev/e2e/cluster"
)

// kubeletPort is the board's own; docs/board.md.
const kubeletPort = "10250"

// namespace of what deploy/rbac.yaml makes.
const namespace = "femtokubelet"

// What the board's port is told about the cluster, and which ConfigMap is its own.
func (d *demo) portSettings() []string {
	return []string{
		"--client-ca", d.access.CAFile(),
		"--set", "api-server-user=" + cluster.KubeletClientUser,
		"--set", "config-map=" + namespace + "/" + node,
	}
}

// userNetwork is QEMU's, with a way to the board's port, where there is no lab.
func (d *demo) userNetwork() ([]string, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d.forwarded = free.Addr().String()
	return []string{"-netdev", "user,id=" + board.NetworkID + ",hostfwd=tcp:" + d.forwarded + "-:" + kubeletPort}, free.Close()
}

// openPort gives the API server a way to the board, where it is in a lab: from a
// port of this machine into the namespace. The cluster is another process, so
// it is told by a route.
func (d *demo) openPort(ctx context.Context) error {
	address, err := d.access.KubectlContext(ctx, "", "get", "node", node, "-o",
		`jsonpath={.status.addresses[?(@.type=="InternalIP")].address}`)
	if err != nil {
		return err
	}
	d.address = net.JoinHostPort(strings.TrimSpace(address), kubeletPort)
	if d.lab != nil {
		if d.entrance, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		d.forwarded = d.entrance.Addr().String()
		go d.letIn()
	}
	return d.access.Route(d.address, d.forwarded)
}

// letIn carries connections into the lab until the entrance is closed.
func (d *demo) letIn() {
	for {
		client, err := d.entrance.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			to, err := d.lab.Dial("tcp4", d.address)
			if err != nil {
				return
			}
			defer to.Close()
			done := make(chan struct{}, 2)
			carry := func(to, from net.Conn) {
				io.Copy(to, from)
				done <- struct{}{}
			}
			go carry(to, client)
			go carry(client, to)
			<-done
		}()
	}
}

// raw is one of the board's endpoints, by way of the API server.
func (d *demo) raw(ctx context.Context, path string) (string, error) {
	return d.access.KubectlContext(ctx, "", "get", "--raw", "/api/v1/nodes/"+node+"/proxy"+path)
}

func (d *demo) port(ctx context.Context) error {
	if err := d.openPort(ctx); err != nil {
		return err
	}
	d.screen.section("The board answers as a kubelet does: kubectl get --raw /api/v1/nodes/" + node + "/proxy/...")
	health, err := d.raw(ctx, "/healthz?verbose")
	if err != nil {
		return err
	}
	d.screen.print("$ .../healthz?verbose\n" + health)
	status, err := d.raw(ctx, "/femto/status")
	if err != nil {
		return err
	}
	d.screen.print("$ .../femto/status\n" + indent(status))
	return nil
}

func indent(text string) string {
	var pretty bytes.Buffer
	if json.Indent(&pretty, []byte(text), "", "  ") != nil {
		return text
	}
	return pretty.String()
}

// allow lets the board read its ConfigMap; a service account for scrapes is in the
// same file.
func (d *demo) allow(ctx context.Context) error {
	d.screen.section("What the cluster allows the board: its ConfigMap")
	rules, err := os.ReadFile("deploy/rbac.yaml")
	if err != nil {
		return err
	}
	d.screen.print("$ sed s/board-1/" + node + "/g deploy/rbac.yaml | kubectl apply -f -")
	if _, err := d.access.KubectlContext(ctx, strings.ReplaceAll(string(rules), "board-1", node), "apply", "-f", "-"); err != nil {
		return err
	}
	return nil
}

// scrape is what Prometheus does: a token, and /metrics by its own connection.
func (d *demo) scrape(ctx context.Context) error {
	d.screen.section("A scrape of /metrics, by the token of a service account that may get nodes/metrics")
	token, err := d.access.KubectlContext(ctx, "", "--namespace", namespace, "create", "token", "prometheus-nodes")
	if err != nil {
		return err
	}
	// The token is read from standard input: it is nobody's to see in a process list.
	command := exec.CommandContext(ctx, "curl", "--silent", "--show-error", "--insecure", "--header", "@-",
		"https://"+d.forwarded+"/metrics")
	command.Stdin = strings.NewReader("Authorization: Bearer " + strings.TrimSpace(token))
	output, err := command.Output()
	if err != nil {
		return fmt.Errorf("curl: %w", err)
	}
	shown, lines := 0, strings.Split(string(output), "\n")
	for _, line := range lines {
		if shown < 12 && !strings.HasPrefix(line, "#") && (strings.Contains(line, "lease") || strings.Contains(line, "heap") || strings.Contains(line, "link")) {
			d.screen.print(line)
			shown++
		}
	}
	d.screen.print(fmt.Sprintf("... %d lines in all", len(lines)))
	return nil
}

// configure changes bytes of the board's memory by a ConfigMap.
func (d *demo) configure(ctx context.Context) error {
	d.screen.section("A ConfigMap sets bytes of the board's memory region")
	const first, then = `memory_values=0=0x42,1=0x43`, `{"data":{"memory_values":"0=0x66,1=0x65,2=0x6d,3=0x74,4=0x6f"}}`
	if _, err := d.access.KubectlContext(ctx, "", "--namespace", namespace, "create", "configmap", node, "--from-literal="+first); err != nil {
		return err
	}
	d.screen.print("$ kubectl --namespace " + namespace + " create configmap " + node + " --from-literal=" + first)
	if err := d.memoryBegins(ctx, "BC"); err != nil {
		return err
	}
	began := time.Now()
	d.screen.print("$ kubectl --namespace " + namespace + " patch configmap " + node + " -p '" + then + "'")
	if _, err := d.access.KubectlContext(ctx, "", "--namespace", namespace, "patch", "configmap", node, "-p", then); err != nil {
		return err
	}
	if err := d.memoryBegins(ctx, "femto"); err != nil {
		return err
	}
	d.screen.print(fmt.Sprintf("There after %.1f s, kubectl's own time included.", time.Since(began).Seconds()))
	return nil
}

// memoryBegins watches the memory region until it begins with a text.
func (d *demo) memoryBegins(ctx context.Context, text string) error {
	for {
		memory, err := d.raw(ctx, fmt.Sprintf("/femto/memory?offset=0&length=%d", len(text)))
		if err == nil && memory == text {
			d.screen.print("$ .../femto/memory?offset=0&length=" + fmt.Sprint(len(text)) + "\n" + memory)
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the memory region does not begin with %q", text), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
