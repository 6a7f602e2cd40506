package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// The others are sampled as often as a node of ours that renews every second.
const (
	othersPeriod = time.Second
	freshCount   = 20
	warmUp       = 3
)

// kubelet renews a Lease as the upstream kubelet does: client-go over HTTP/2
// with its heartbeat client's settings (cmd/kubelet/app/server.go), and the
// calls of its lease controller (k8s.io/component-helpers/apimachinery/lease):
// the Lease of the last reply with a new renewTime, by PUT in protobuf.
func (l *lab) kubelet(ctx context.Context) ([]figure, error) {
	const name = "bench-kubelet"
	p, err := l.proxy()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	config, err := l.kubeletConfig(name, p.Addr())
	if err != nil {
		return nil, err
	}
	lease, client, err := createLease(ctx, config, name)
	if err != nil {
		return nil, err
	}
	var before bytes
	renewals := int(l.sample / othersPeriod)
	for i := range warmUp + renewals {
		if i == warmUp {
			before = counted(p)
		}
		next := lease.DeepCopy()
		next.Spec.RenewTime = &meta.MicroTime{Time: time.Now()}
		if lease, err = client.Update(ctx, next, meta.UpdateOptions{}); err != nil {
			return nil, err
		}
		if err := sleep(ctx, othersPeriod); err != nil {
			return nil, err
		}
	}
	each := counted(p).minus(before).by(float64(renewals))
	return []figure{{"kubelet_renewal_wire_bytes", each.sum(), "B"}}, nil
}

func (l *lab) kubeletConfig(name, proxy string) (*rest.Config, error) {
	kubeconfig, err := l.cluster.NodeKubeconfig(name)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.Host = "https://" + proxy
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.UserAgent = "kubelet/v1.36.3 (linux/amd64) kubernetes/0123456"
	config.Timeout = 10 * time.Second
	config.QPS = -1
	return config, nil
}

func createLease(ctx context.Context, config *rest.Config, name string) (*coordination.Lease, coordinationclient.LeaseInterface, error) {
	coreClient, err1 := coreclient.NewForConfig(config)
	leaseClient, err2 := coordinationclient.NewForConfig(config)
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, err
	}
	node, err := coreClient.Nodes().Create(ctx, &core.Node{ObjectMeta: meta.ObjectMeta{Name: name}}, meta.CreateOptions{})
	if err != nil {
		return nil, nil, err
	}
	duration := int32(40)
	holder := name
	lease := &coordination.Lease{
		ObjectMeta: meta.ObjectMeta{
			Name: name, Namespace: core.NamespaceNodeLease,
			OwnerReferences: []meta.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: name, UID: node.UID}},
		},
		Spec: coordination.LeaseSpec{
			HolderIdentity: &holder, LeaseDurationSeconds: &duration,
			RenewTime: &meta.MicroTime{Time: time.Now()},
		},
	}
	client := leaseClient.Leases(core.NamespaceNodeLease)
	lease, err = client.Create(ctx, lease, meta.CreateOptions{})
	return lease, client, err
}

// freshConnections renews as picokubelet does: a new TLS connection for every
// request, with a token that the cluster's admin would own, HTTP/1.1 and JSON.
// Curve P-256 rather than Go's own choice, whose hybrid key shares alone would
// take two kilobytes.
func (l *lab) freshConnections(ctx context.Context) ([]figure, error) {
	p, err := l.proxy()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	token, err := l.adminToken()
	if err != nil {
		return nil, err
	}
	const lease = `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease",` +
		`"metadata":{"name":"bench-fresh","namespace":"kube-node-lease"},` +
		`"spec":{"holderIdentity":"bench-fresh","leaseDurationSeconds":40}}`
	if _, err := l.cluster.KubectlContext(ctx, lease, "create", "-f", "-"); err != nil {
		return nil, err
	}
	url := "https://" + p.Addr() + "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/bench-fresh"
	for range freshCount {
		if err := l.renewOnce(ctx, url, token); err != nil {
			return nil, err
		}
	}
	// The last close may still be on its way.
	if err := sleep(ctx, time.Second); err != nil {
		return nil, err
	}
	if n := p.Counts().ClientHellos; n != freshCount {
		return nil, fmt.Errorf("%d connections for %d renewals", n, freshCount)
	}
	return []figure{{"fresh_connection_renewal_wire_bytes", counted(p).by(freshCount).sum(), "B"}}, nil
}

func (l *lab) adminToken() (string, error) {
	commands := [][]string{
		{"create", "serviceaccount", "bench", "-n", "default"},
		{"create", "clusterrolebinding", "bench", "--clusterrole=cluster-admin", "--serviceaccount=default:bench"},
	}
	for _, command := range commands {
		if _, err := l.cluster.Kubectl(command...); err != nil {
			return "", err
		}
	}
	token, err := l.cluster.Kubectl("create", "token", "bench", "-n", "default")
	return strings.TrimSpace(token), err
}

func (l *lab) renewOnce(ctx context.Context, url, token string) error {
	roots := x509.NewCertPool()
	roots.AddCert(l.cluster.CA().Cert)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, CurvePreferences: []tls.CurveID{tls.CurveP256}},
		DisableKeepAlives: true,
	}
	defer transport.CloseIdleConnections()
	patch := fmt.Sprintf(`{"spec":{"renewTime":"%s"}}`, time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"))
	request, err := http.NewRequestWithContext(ctx, http.MethodPatch, url, strings.NewReader(patch))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/merge-patch+json")
	request.Header.Set("Accept", "application/json")
	reply, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		return errors.New(reply.Status)
	}
	return nil
}
