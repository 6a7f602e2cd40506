package cluster

import (
	"fmt"
	"path/filepath"
	"strconv"
)

// Component names, also those of the log files.
const (
	etcdName       = "etcd"
	apiserverName  = "kube-apiserver"
	controllerName = "kube-controller-manager"
	schedulerName  = "kube-scheduler"
)

// ports of one cluster, all on 127.0.0.1.
type ports struct {
	etcd, etcdPeer, apiserver, controller, scheduler *portClaim
}

func flag(name string, value any) string { return fmt.Sprintf("--%s=%v", name, value) }

func (c *Cluster) etcdArgs() []string {
	client, peer := c.ports.etcd.url(), c.ports.etcdPeer.url()
	cert, key, ca := c.pki.cert("etcd"), c.pki.key("etcd"), c.pki.cert(caEtcd)
	return []string{
		flag("name", "default"),
		flag("data-dir", filepath.Join(c.runDir, "etcd")),
		flag("listen-client-urls", client),
		flag("advertise-client-urls", client),
		flag("listen-peer-urls", peer),
		flag("initial-advertise-peer-urls", peer),
		flag("initial-cluster", "default="+peer),
		// Certificates both ways: another user of this machine can reach the
		// port, but gets nothing from it.
		flag("cert-file", cert), flag("key-file", key),
		flag("client-cert-auth", true), flag("trusted-ca-file", ca),
		flag("peer-cert-file", cert), flag("peer-key-file", key),
		flag("peer-client-cert-auth", true), flag("peer-trusted-ca-file", ca),
		flag("enable-grpc-gateway", false),
		flag("unsafe-no-fsync", true), // the data does not outlive the cluster
		flag("log-level", "warn"),
	}
}

func (c *Cluster) apiserverArgs() []string {
	p := c.pki
	args := []string{
		flag("bind-address", "127.0.0.1"),
		flag("advertise-address", "127.0.0.1"),
		flag("secure-port", c.ports.apiserver.port),
		// The Endpoints of the "kubernetes" Service may not be on loopback, so
		// there are none.
		flag("endpoint-reconciler-type", "none"),
		flag("service-cluster-ip-range", serviceCIDR),
		flag("etcd-servers", c.ports.etcd.url()),
		flag("etcd-cafile", p.cert(caEtcd)),
		flag("etcd-certfile", p.cert("etcd-client")), flag("etcd-keyfile", p.key("etcd-client")),
		flag("tls-cert-file", p.cert("apiserver")), flag("tls-private-key-file", p.key("apiserver")),
		flag("client-ca-file", p.cert(caCluster)),
		flag("authorization-mode", "Node,RBAC"),
		flag("enable-admission-plugins", "NodeRestriction"),
		flag("enable-bootstrap-token-auth", true),
		flag("service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
		flag("service-account-key-file", filepath.Join(p.dir, "service-account.pub")),
		flag("service-account-signing-key-file", p.key("service-account")),
		flag("kubelet-client-certificate", p.cert("kubelet-client")),
		flag("kubelet-client-key", p.key("kubelet-client")),
		flag("kubelet-preferred-address-types", "InternalIP"),
		flag("egress-selector-config-file", filepath.Join(c.runDir, egressConfig)),
		// For aggregated API servers such as metrics-server.
		flag("requestheader-client-ca-file", p.cert(caFrontProxy)),
		flag("requestheader-allowed-names", "front-proxy-client"),
		flag("requestheader-extra-headers-prefix", "X-Remote-Extra-"),
		flag("requestheader-group-headers", "X-Remote-Group"),
		flag("requestheader-username-headers", "X-Remote-User"),
		flag("proxy-client-cert-file", p.cert("proxy-client")),
		flag("proxy-client-key-file", p.key("proxy-client")),
		flag("profiling", false),
	}
	if c.opts.VerifyKubelets {
		args = append(args, flag("kubelet-certificate-authority", p.cert(caCluster)))
	}
	if c.opts.Audit {
		args = append(args,
			flag("audit-policy-file", filepath.Join(c.runDir, "audit-policy.yaml")),
			flag("audit-log-path", c.AuditLog()),
			// Blocking: a request that was answered is in the log.
			flag("audit-log-mode", "blocking"),
			flag("audit-log-maxsize", 100), // MB
			flag("audit-log-maxbackup", 1))
	}
	return append(args, c.opts.ExtraArgs[apiserverName]...)
}

// auditPolicy records who asked for what and when, once per request.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

func (c *Cluster) controllerArgs() []string {
	p := c.pki
	args := c.clientArgs("controller-manager", c.ports.controller.port)
	args = append(args,
		flag("controllers", "*,bootstrapsigner,tokencleaner"),
		flag("use-service-account-credentials", true),
		// The controllers ask for their credentials all at once; the default
		// of 20 per second would keep them waiting for 5 s.
		flag("kube-api-qps", 500), flag("kube-api-burst", 1000),
		flag("service-account-private-key-file", p.key("service-account")),
		flag("root-ca-file", p.cert(caCluster)),
		flag("cluster-signing-cert-file", p.cert(caCluster)),
		flag("cluster-signing-key-file", p.key(caCluster)))
	if c.opts.NodeMonitorGrace > 0 {
		args = append(args, flag("node-monitor-grace-period", c.opts.NodeMonitorGrace))
	}
	if c.opts.NodeMonitorPeriod > 0 {
		args = append(args, flag("node-monitor-period", c.opts.NodeMonitorPeriod))
	}
	return append(args, c.opts.ExtraArgs[controllerName]...)
}

func (c *Cluster) schedulerArgs() []string {
	return append(c.clientArgs("scheduler", c.ports.scheduler.port), c.opts.ExtraArgs[schedulerName]...)
}

// clientArgs are the same for the controller manager and the scheduler.
func (c *Cluster) clientArgs(name string, port int) []string {
	kubeconfig := c.kubeconfigPath(name)
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + c.pki.cert(name),
		"--tls-private-key-file=" + c.pki.key(name),
		// The only one of its kind: an election would cost start-up time.
		"--leader-elect=false",
		"--profiling=false",
	}
}
