package board

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// Settings are what a board is told at its console.
type Settings struct {
	Kubeconfig string // path
	Name       string // of the node
	// Server is its URL; empty: the kubeconfig's, where loopback becomes HostIP.
	Server string
	// ServerName is what the server's certificate is for; empty: its address,
	// as the board sees it.
	ServerName string
	Labels     map[string]string
	// Of the kubelet's own port, paths of PEM; empty: none, and a certificate
	// that the board signs itself.
	ClientCA, ServerCert, ServerKey string
	More                            map[string]string // by the console's names
}

// Provision fills a running board's settings by means of tools/provision. They
// are used from the next reboot on.
func (b *Board) Provision(ctx context.Context, s Settings) error {
	kubeconfig := filepath.Join(b.dir, "kubeconfig.json")
	server, err := copyKubeconfig(s.Kubeconfig, kubeconfig)
	if err != nil {
		return err
	}
	defer os.Remove(kubeconfig)
	if s.Server != "" {
		server = s.Server
	}
	root, err := repository()
	if err != nil {
		return err
	}
	path := filepath.Join(b.dir, "console")
	wait, err := b.Lend(ctx, path)
	if err != nil {
		return err
	}
	args := append([]string{"--unix", path, "--kubeconfig", kubeconfig, "--server", server}, s.arguments()...)
	command := exec.CommandContext(ctx, filepath.Join(root, "tools", "provision"), args...)
	out, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("tools/provision: %w: %s", err, out)
	}
	return errors.Join(err, wait())
}

var serverURL = regexp.MustCompile(`(?m)^\s*server: (https://\S+)$`)

// copyKubeconfig makes it JSON, since Python reads no YAML by itself, and
// returns the server's URL as a board sees it.
func copyKubeconfig(from, to string) (string, error) {
	text, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	server := serverURL.FindSubmatch(text)
	if server == nil {
		return "", fmt.Errorf("%s names no server", from)
	}
	text, err = yaml.YAMLToJSON(text)
	if err != nil {
		return "", err
	}
	seen := strings.Replace(string(server[1]), "https://127.0.0.1:", "https://"+HostIP+":", 1)
	return seen, os.WriteFile(to, text, 0o600)
}

func (s *Settings) arguments() []string {
	// With --set, a name is taken that is not the certificate's.
	args := []string{"--set", "node-name=" + s.Name}
	if s.ServerName != "" {
		args = append(args, "--tls-server-name", s.ServerName)
	}
	for key, value := range s.Labels {
		args = append(args, "--label", key+"="+value)
	}
	for option, path := range map[string]string{
		"--client-ca": s.ClientCA, "--server-cert": s.ServerCert, "--server-key": s.ServerKey,
	} {
		if path != "" {
			args = append(args, option, path)
		}
	}
	for name, value := range s.More {
		args = append(args, "--set", name+"="+value)
	}
	return args
}
