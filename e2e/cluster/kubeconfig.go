package cluster

import (
	"encoding/base64"
	"fmt"
	"regexp"
)

// Identities of the cluster. The API server knows the system: ones itself.
const (
	adminUser         = "femtokubelet-test-admin"
	mastersGroup      = "system:masters"
	nodesGroup        = "system:nodes"
	nodeUserPrefix    = "system:node:"
	KubeletClientUser = "femtokubelet-test:kube-apiserver-kubelet-client"
	controllerUser    = "system:kube-controller-manager"
	schedulerUser     = "system:kube-scheduler"
)

// FormatKubeconfig writes a kubeconfig with everything embedded: one cluster,
// one user with a client certificate, one context.
func FormatKubeconfig(url string, caPEM []byte, user string, pair *KeyPair) []byte {
	credentials := fmt.Sprintf("    client-certificate-data: %s\n    client-key-data: %s\n",
		b64(pair.CertPEM), b64(pair.KeyPEM))
	return formatKubeconfig(url, caPEM, user, credentials)
}

// FormatTokenKubeconfig does the same for a bearer token, such as a bootstrap
// token.
func FormatTokenKubeconfig(url string, caPEM []byte, user, token string) []byte {
	return formatKubeconfig(url, caPEM, user, fmt.Sprintf("    token: %q\n", token))
}

func formatKubeconfig(url string, caPEM []byte, user, credentials string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: testcluster
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: %q
  user:
%scontexts:
- name: testcluster
  context:
    cluster: testcluster
    user: %q
current-context: testcluster
`, url, b64(caPEM), user, credentials, user)
}

func b64(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

// A node is named like a DNS subdomain (RFC 1123); this also keeps the name
// harmless as part of a file name.
var nodeName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// CheckNodeName refuses what the API server would refuse as a Node's name.
func CheckNodeName(name string) error {
	if len(name) > 253 || !nodeName.MatchString(name) {
		return fmt.Errorf("node name %q: use lower-case letters, digits, '-' and '.', at most 253", name)
	}
	return nil
}

// nodeRequest is the identity of a node, and never more than that.
func nodeRequest(name string) CertRequest {
	return CertRequest{
		CommonName:   nodeUserPrefix + name,
		Organization: []string{nodesGroup},
		Client:       true,
	}
}
