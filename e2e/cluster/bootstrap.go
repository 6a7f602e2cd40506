package cluster

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"
)

// bootstrapLife is how long a bootstrap token works; tokencleaner removes it
// then.
const bootstrapLife = 24 * time.Hour

const bootstrapSecret = `apiVersion: v1
kind: Secret
type: bootstrap.kubernetes.io/token
metadata:
  name: bootstrap-token-%[1]s
  namespace: kube-system
stringData:
  token-id: %[1]s
  token-secret: %[2]s
  expiration: %[3]s
  usage-bootstrap-authentication: "true"
  usage-bootstrap-signing: "true"
`

// BootstrapKubeconfig makes a new bootstrap token, good for a node's first
// certificate and nothing else, and returns the path of a kubeconfig with it.
func (a *Access) BootstrapKubeconfig() (string, error) {
	random := strings.ToLower(rand.Text()) // 26 of a-z2-7, 130 bits
	id, secret := random[:6], random[6:22]
	manifest := fmt.Sprintf(bootstrapSecret, id, secret, time.Now().Add(bootstrapLife).UTC().Format(time.RFC3339))
	if _, err := a.kubectlApply(manifest); err != nil {
		return "", err
	}
	path := a.kubeconfigPath("bootstrap-" + id)
	return path, writeFile(path, FormatTokenKubeconfig(a.url, a.pki.ca.CertPEM, "bootstrap", id+"."+secret))
}
