package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Access is what one needs to use a running cluster, from the process that
// started it or, after Attach, from any other of the same user.
type Access struct {
	runDir string // everything that ends with the cluster
	logDir string
	binary string
	url    string
	pki    *pki
}

type accessFile struct {
	URL    string `json:"url"`
	Binary string `json:"binary"`
	LogDir string `json:"logDir"`
}

const accessName = "access.json"

// Attach opens a running cluster by its RunDir.
func Attach(runDir string) (*Access, error) {
	data, err := os.ReadFile(filepath.Join(runDir, accessName))
	if err != nil {
		return nil, fmt.Errorf("no cluster in %s: %w", runDir, err)
	}
	var stored accessFile
	if err := json.Unmarshal(data, &stored); err != nil {
		return nil, fmt.Errorf("%s/%s: %w", runDir, accessName, err)
	}
	p := &pki{dir: filepath.Join(runDir, "pki")}
	if p.ca, err = loadCA(p.cert(caCluster), p.key(caCluster)); err != nil {
		return nil, err
	}
	return &Access{runDir: runDir, logDir: stored.LogDir, binary: stored.Binary, url: stored.URL, pki: p}, nil
}

// publish writes the files of an Access: the admin's kubeconfig, kubectl, and
// what Attach reads.
func (a *Access) publish() error {
	for _, dir := range []string{"bin", "kubeconfig"} {
		if err := os.Mkdir(filepath.Join(a.runDir, dir), 0o700); err != nil {
			return err
		}
	}
	if err := os.Symlink(a.binary, a.KubectlPath()); err != nil {
		return err
	}
	users := map[string]CertRequest{
		"admin":              {CommonName: adminUser, Organization: []string{mastersGroup}, Client: true},
		"controller-manager": {CommonName: controllerUser, Client: true},
		"scheduler":          {CommonName: schedulerUser, Client: true},
	}
	for file, req := range users {
		if err := a.writeKubeconfig(file, req); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(accessFile{URL: a.url, Binary: a.binary, LogDir: a.logDir}, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(a.runDir, accessName), data)
}

func (a *Access) kubeconfigPath(name string) string {
	return filepath.Join(a.runDir, "kubeconfig", name+".yaml")
}

func (a *Access) writeKubeconfig(name string, req CertRequest) error {
	pair, err := a.pki.ca.Issue(req)
	if err != nil {
		return err
	}
	return writeFile(a.kubeconfigPath(name), FormatKubeconfig(a.url, a.pki.ca.CertPEM, req.CommonName, pair))
}

// URL of the API server, https://127.0.0.1:PORT.
func (a *Access) URL() string { return a.url }

// RunDir is the folder that Attach wants. It goes when the cluster stops.
func (a *Access) RunDir() string { return a.runDir }

// LogDir holds one log per component.
func (a *Access) LogDir() string { return a.logDir }

// AuditLog is the API server's audit log, one JSON event per line. It exists
// only with Options.Audit.
func (a *Access) AuditLog() string { return filepath.Join(a.logDir, "audit.log") }

// CA signs the API server's certificate and all client certificates.
func (a *Access) CA() *CA { return a.pki.ca }

// CAFile is the path of its certificate, PEM.
func (a *Access) CAFile() string { return a.pki.cert(caCluster) }

// Kubeconfig is the path of the admin's kubeconfig (group system:masters).
func (a *Access) Kubeconfig() string { return a.kubeconfigPath("admin") }

// NodeKubeconfig writes a kubeconfig for the node of that name and returns its
// path. The identity is CN=system:node:NAME, O=system:nodes and nothing more.
// A second call for a name returns the same file.
func (a *Access) NodeKubeconfig(name string) (string, error) {
	if err := CheckNodeName(name); err != nil {
		return "", err
	}
	file := "node-" + name
	path := a.kubeconfigPath(file)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, a.writeKubeconfig(file, nodeRequest(name))
}

// KubectlPath is a kubectl of the cluster's own version.
func (a *Access) KubectlPath() string { return filepath.Join(a.runDir, "bin", "kubectl") }

// KubectlEnv is the environment for KubectlPath: the caller's, with the
// admin's kubeconfig, no proxy, and no file written outside the cluster.
func (a *Access) KubectlEnv() []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		switch strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "KUBECONFIG", "KUBERC", "KUBECACHEDIR":
			continue
		}
		env = append(env, entry)
	}
	return append(env, "KUBECONFIG="+a.Kubeconfig(), "KUBERC=off",
		"KUBECACHEDIR="+filepath.Join(a.runDir, "kubecache"))
}

// kubectlTimeout bounds Kubectl; use KubectlContext for a longer or a shorter
// wait.
const kubectlTimeout = time.Minute

// Kubectl runs kubectl as the admin and returns its standard output. An error
// holds what kubectl wrote to standard error.
func (a *Access) Kubectl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), kubectlTimeout)
	defer cancel()
	return a.KubectlContext(ctx, "", args...)
}

// KubectlContext is Kubectl with a context and with text for standard input,
// as for "apply -f -".
func (a *Access) KubectlContext(ctx context.Context, input string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, a.KubectlPath(), args...)
	command.Env = a.KubectlEnv()
	command.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if err != nil {
		if ctx.Err() != nil {
			err = errors.Join(err, ctx.Err())
		}
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), err
}

func (a *Access) kubectlApply(manifest string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), kubectlTimeout)
	defer cancel()
	return a.KubectlContext(ctx, manifest, "apply", "-f", "-")
}
