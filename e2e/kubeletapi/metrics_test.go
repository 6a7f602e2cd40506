package kubeletapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"femtokubelet.dev/e2e/cluster"
	"femtokubelet.dev/e2e/lab"
)

// nodesOfAllKinds run at the same time, for those who look at several.
func nodesOfAllKinds(t *testing.T, w *world) []*node {
	t.Helper()
	var list []*node
	for _, k := range kinds {
		if only := os.Getenv("BODY"); only == "" || only == k.name {
			list = append(list, readyNode(t, w, k, settings{}))
		}
	}
	return list
}

const metricsPort = 4443

// metricsObjects are what a cluster has for metrics-server: an account that may
// read nodes and what their ports say of them, that may have its own clients
// judged, and the API that it adds. There is no pod to select, hence the name.
const metricsObjects = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: metrics-server-delegates}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:auth-delegator"}
subjects: [{kind: ServiceAccount, name: metrics-server, namespace: default}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: metrics-server-reads-cas, namespace: kube-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: extension-apiserver-authentication-reader}
subjects: [{kind: ServiceAccount, name: metrics-server, namespace: default}]
---
apiVersion: v1
kind: Service
metadata: {name: metrics-server, namespace: kube-system}
spec: {type: ExternalName, externalName: ` + metricsName + `}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: metrics-server, namespace: kube-system, port: %d}
`

// startInLab runs a program in the lab for as long as the test.
func startInLab(t *testing.T, w *world, dir string, argv ...string) *output {
	t.Helper()
	command := w.lab.Command(context.Background(), argv...)
	command.Dir = dir
	said := &output{}
	command.Stdout, command.Stderr = said, said
	if err := w.lab.Start(command); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		command.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		command.Process.Kill()
		<-done
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(argv[0]), said.tail(30))
		}
	})
	return said
}

// metricsServer runs the real one until the test's end. It looks at labelled
// nodes only: others of this cluster are amid stories of their own.
func metricsServer(t *testing.T, w *world) {
	t.Helper()
	binary, err := cluster.EnsureMetricsServer(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	node, watches := nodesRule("metrics"), nodesRule()
	watches.Resources, watches.Verbs = []string{"nodes", "pods", "namespaces"}, []string{"get", "list", "watch"}
	w.account(t, "metrics-server", node, watches)
	objects := fmt.Sprintf(metricsObjects, metricsPort)
	if _, err := w.KubectlContext(soon(t), objects, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// An API that nobody serves keeps namespaces from being deleted.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := w.KubectlContext(ctx, objects, "delete", "-f", "-"); err != nil {
			t.Error(err)
		}
	})
	port := w.port()
	if _, err := w.lab.Forward(port, strings.TrimPrefix(w.URL(), "https://")); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	text := cluster.FormatTokenKubeconfig(fmt.Sprintf("https://%s:%d", lab.Server, port), w.CA().CertPEM,
		"metrics-server", w.tokenOf(t, "metrics-server"))
	if err := os.WriteFile(kubeconfig, text, 0o600); err != nil {
		t.Fatal(err)
	}
	startInLab(t, w, dir, binary,
		"--kubeconfig="+kubeconfig, "--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
		fmt.Sprintf("--secure-port=%d", metricsPort), "--bind-address="+lab.Gateway, "--cert-dir="+dir,
		"--kubelet-insecure-tls", "--kubelet-use-node-status-port", "--kubelet-preferred-address-types=InternalIP",
		"--metric-resolution=10s", "--kubelet-request-timeout=5s", "--node-selector=femtokubelet.dev/top=yes")
}

// TestKubectlTop: the real metrics-server has values of each node.
func TestKubectlTop(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs nodes")
	}
	w := ourWorld(t)
	metricsServer(t, w)
	for _, n := range nodesOfAllKinds(t, w) {
		if _, err := w.Kubectl("label", "node", n.name, "femtokubelet.dev/top=yes"); err != nil {
			t.Fatal(err)
		}
		var line string
		took := eventually(t, "kubectl top", func(ctx context.Context) (err error) {
			line, err = w.KubectlContext(ctx, "", "top", "node", n.name, "--no-headers")
			return err
		})
		raw, err := w.Kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes/"+n.name)
		if err != nil {
			t.Fatal(err)
		}
		var metrics struct{ Usage struct{ CPU, Memory string } }
		if err := json.Unmarshal([]byte(raw), &metrics); err != nil {
			t.Fatal(err)
		}
		t.Logf("after %v: %s: %+v", rounded(took), strings.TrimSpace(line), metrics.Usage)
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[0] != n.name || zero(metrics.Usage.CPU) || zero(metrics.Usage.Memory) {
			t.Errorf("kubectl top node: %q, %+v", line, metrics.Usage)
		}
		n.body.check(t)
	}
}

// zero of a Kubernetes quantity: "0", "0n", or none.
func zero(quantity string) bool { return quantity == "" || quantity[0] == '0' }

// tool finds a program of Prometheus, on PATH or where tools/setup puts it.
func tool(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, "femtokubelet", "prometheus", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no %s: tools/setup fetches it: %v", name, err)
	}
	return path
}

const prometheusPort = 9090

// prometheusConfig scrapes both documents of a node, by token, and verifies
// whom it talks to.
const prometheusConfig = `
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
%s`

const prometheusJob = `
- job_name: %[1]s
  metrics_path: %[2]s
  scheme: https
  authorization: {credentials_file: token}
  tls_config: {ca_file: ca.crt, server_name: %[3]s}
  static_configs: [{targets: ["%[4]s"], labels: {node: %[3]s}}]
`

// TestPrometheus: the real one scrapes each node by a service account's token.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs nodes")
	}
	w := ourWorld(t)
	// The account that the documentation tells to make.
	if _, err := w.Kubectl("apply", "-f", "../../deploy/rbac.yaml"); err != nil {
		t.Fatal(err)
	}
	token, err := w.Kubectl("--namespace", configNamespace, "create", "token", "prometheus-nodes")
	if err != nil {
		t.Fatal(err)
	}
	nodes := nodesOfAllKinds(t, w)
	var jobs strings.Builder
	for _, n := range nodes {
		for _, path := range []string{"/metrics", "/metrics/resource", "/metrics/cadvisor", "/metrics/probes"} {
			fmt.Fprintf(&jobs, prometheusJob, n.name+strings.ReplaceAll(path, "/", "-"), path, n.name, n.address(t))
		}
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"token": strings.TrimSpace(token), "ca.crt": string(w.CA().CertPEM),
		"prometheus.yml": fmt.Sprintf(prometheusConfig, jobs.String()),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	startInLab(t, w, dir, tool(t, "prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data",
		fmt.Sprintf("--web.listen-address=%s:%d", lab.Gateway, prometheusPort))
	for _, n := range nodes {
		for query, want := range map[string]int{
			"up{node=%q} == 1": 4,
			"femtokubelet_lease_renewals_total{node=%q} > 0":                     1,
			"rate(femtokubelet_lease_renewals_total{node=%q}[30s])":              1,
			"node_memory_working_set_bytes{node=%q} > 0":                         1,
			"node_cpu_usage_seconds_total{node=%q} > 0":                          1,
			"scrape_samples_scraped{node=%q,job=~\".*-(metrics|resource)\"} > 0": 2,
		} {
			query = fmt.Sprintf(query, n.name)
			eventually(t, query, func(ctx context.Context) error {
				got, err := w.query(ctx, query)
				if err == nil && got != want {
					err = fmt.Errorf("%d series, want %d", got, want)
				}
				return err
			})
		}
		n.body.check(t)
	}
}

// query asks Prometheus in the lab, and says how many series there are.
func (w *world) query(ctx context.Context, query string) (series int, err error) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		return w.lab.Dial("tcp4", address)
	}}
	address := fmt.Sprintf("http://%s:%d/api/v1/query?query=%s", lab.Gateway, prometheusPort, url.QueryEscape(query))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Status != "success" {
		return 0, fmt.Errorf("%v: %s", err, text)
	}
	return len(answer.Data.Result), nil
}

// TestPromtoolHasNothingToSay of what a node's port exposes.
func TestPromtoolHasNothingToSay(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		promtool := tool(t, "promtool")
		n := readyNode(t, ourWorld(t), k, settings{})
		a := n.asAPIServer(t)
		for _, path := range []string{"/metrics", "/metrics/resource", "/metrics/cadvisor", "/metrics/probes"} {
			text := a.get(t, path)
			command := exec.CommandContext(soon(t), promtool, "check", "metrics")
			command.Stdin = strings.NewReader(text)
			if said, err := command.CombinedOutput(); err != nil || len(said) > 0 {
				t.Errorf("promtool check metrics on %s: %v\n%s\nof\n%s", path, err, said, text)
			}
		}
	})
}

// told are series that every node has in /metrics, and those of boards.
var told = []string{
	"femtokubelet_build_info", "kubelet_node_name", "femtokubelet_uptime_seconds", "process_start_time_seconds",
	"process_cpu_seconds_total", "femtokubelet_lease_renewals_total", "femtokubelet_lease_failures_total",
	"femtokubelet_lease_longest_gap_seconds", "femtokubelet_apiserver_connected",
	"femtokubelet_apiserver_connections_total", "rest_client_requests_total", "rest_client_request_duration_seconds_bucket",
	"femtokubelet_loop_duration_seconds_bucket", "femtokubelet_heap_size_bytes", "femtokubelet_heap_free_bytes",
	"femtokubelet_heap_low_water_bytes", "femtokubelet_heap_largest_free_bytes", "femtokubelet_heap_failures_total",
	"femtokubelet_server_open_connections", "femtokubelet_server_connections_total", "femtokubelet_server_requests_total",
	"femtokubelet_reviews_total",
}

var toldByBoards = []string{"stack", "led", "reset", "frames"}

// TestMetricsTellAll that an operator was promised.
func TestMetricsTellAll(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{})
		text := n.asAPIServer(t).get(t, "/metrics")
		for _, name := range told {
			if !strings.Contains(text, "\n"+name+" ") && !strings.Contains(text, "\n"+name+"{") {
				t.Errorf("no %s", name)
			}
		}
		for _, part := range toldByBoards {
			if k.name == "qemu" && !regexp.MustCompile(`(?m)^[a-z_]+`+part+`[a-z_]*[ {]`).MatchString(text) {
				t.Errorf("nothing about %s in\n%s", part, text)
			}
		}
		if strings.Contains(text, " -") || strings.Contains(text, "NaN") {
			t.Errorf("a value that cannot be:\n%s", text)
		}
	})
}
