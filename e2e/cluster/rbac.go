package cluster

import (
	"context"
	"net/http"
)

// binding is a ClusterRoleBinding that an installer such as kubeadm makes and
// a bare API server lacks.
type binding struct {
	name, role, subjectKind, subject string
	bootstrap                        bool
}

var bindings = []binding{
	// What the API server may ask of a kubelet: logs, exec, stats.
	{"femtokubelet-test:kubelet-api", "system:kubelet-api-admin", "User", KubeletClientUser, false},
	// A bootstrap token may ask for a node's first certificate, gets it without
	// a human, and a node may renew its own.
	{"femtokubelet-test:bootstrap", "system:node-bootstrapper", "Group", "system:bootstrappers", true},
	{"femtokubelet-test:approve-bootstrap",
		"system:certificates.k8s.io:certificatesigningrequests:nodeclient", "Group", "system:bootstrappers", true},
	{"femtokubelet-test:approve-renewal",
		"system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "Group", nodesGroup, true},
}

func (c *Cluster) createBindings(ctx context.Context, admin *http.Client) error {
	const api, group = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "rbac.authorization.k8s.io"
	for _, b := range bindings {
		if b.bootstrap && c.opts.NoBootstrapRBAC {
			continue
		}
		body := map[string]any{
			"apiVersion": group + "/v1",
			"kind":       "ClusterRoleBinding",
			"metadata":   map[string]any{"name": b.name},
			"roleRef":    map[string]any{"apiGroup": group, "kind": "ClusterRole", "name": b.role},
			"subjects":   []any{map[string]any{"apiGroup": group, "kind": b.subjectKind, "name": b.subject}},
		}
		err := do(ctx, admin, http.MethodPost, c.url+api, body, http.StatusCreated, http.StatusConflict)
		if err != nil {
			return err
		}
	}
	return nil
}
