package cluster

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
)

// Three authorities, so that being trusted by one means nothing to another:
// a node's client certificate opens neither etcd nor the aggregator's headers.
const (
	caCluster    = "ca"
	caEtcd       = "etcd-ca"
	caFrontProxy = "front-proxy-ca"
)

// serviceIP is the first address of serviceCIDR: the "kubernetes" Service.
const (
	serviceCIDR = "10.96.0.0/16"
	serviceIP   = "10.96.0.1"
	// qemuHostIP is how a guest of QEMU's user network sees our loopback.
	qemuHostIP = "10.0.2.2"
)

// How a board in the network lab (e2e/lab) sees the API server.
const (
	LabGatewayIP  = "10.99.0.1"
	LabServerIP   = "10.99.1.1"
	LabServerName = "apiserver.lab.test"
)

type pki struct {
	dir string
	ca  *CA
}

func (p *pki) cert(name string) string { return filepath.Join(p.dir, name+".crt") }
func (p *pki) key(name string) string  { return filepath.Join(p.dir, name+".key") }

// newPKI makes every authority, key and certificate of one cluster in dir.
func newPKI(dir string, opts *Options) (*pki, error) {
	p := &pki{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	authorities := map[string]*CA{}
	for _, name := range []string{caCluster, caEtcd, caFrontProxy} {
		ca, err := NewCA("femtokubelet-test-"+name, opts.RSA && name == caCluster)
		if err != nil {
			return nil, err
		}
		if err := p.write(name, &ca.KeyPair); err != nil {
			return nil, err
		}
		authorities[name] = ca
	}
	p.ca = authorities[caCluster]
	for _, leaf := range leaves(opts) {
		pair, err := authorities[leaf.ca].Issue(leaf.req)
		if err != nil {
			return nil, err
		}
		if err := p.write(leaf.file, pair); err != nil {
			return nil, err
		}
	}
	return p, p.writeServiceAccountKey()
}

type leaf struct {
	file, ca string
	req      CertRequest
}

func leaves(opts *Options) []leaf {
	loopback := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	local := CertRequest{DNSNames: []string{"localhost"}, IPs: loopback, Server: true}
	with := func(req CertRequest, cn string) CertRequest {
		req.CommonName = cn
		return req
	}
	// etcd presents its certificate to itself as a client, too.
	etcd := with(local, "etcd")
	etcd.Client = true
	return []leaf{
		{"etcd", caEtcd, etcd},
		{"etcd-client", caEtcd, CertRequest{CommonName: "kube-apiserver", Client: true}},
		{"apiserver", caCluster, ServingRequest(opts)},
		// No system:masters here: a kubelet asks the API server what this user
		// may do, and should get an answer from RBAC (see bindings).
		{"kubelet-client", caCluster, CertRequest{CommonName: KubeletClientUser, Client: true}},
		{"proxy-client", caFrontProxy, CertRequest{CommonName: "front-proxy-client", Client: true}},
		{"controller-manager", caCluster, with(local, "kube-controller-manager")},
		{"scheduler", caCluster, with(local, "kube-scheduler")},
	}
}

// ServingRequest is what the API server's own certificate asks for; a test
// that wants an odd one changes a copy of it.
func ServingRequest(opts *Options) CertRequest {
	req := CertRequest{
		CommonName: "kube-apiserver",
		DNSNames: []string{"localhost", "kubernetes", "kubernetes.default",
			"kubernetes.default.svc", "kubernetes.default.svc.cluster.local", LabServerName},
		IPs: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.ParseIP(serviceIP),
			net.ParseIP(qemuHostIP), net.ParseIP(LabGatewayIP), net.ParseIP(LabServerIP)},
		Server: true,
		RSA:    opts.RSA,
	}
	for _, name := range opts.ExtraSANs {
		if ip := net.ParseIP(name); ip != nil {
			req.IPs = append(req.IPs, ip)
		} else {
			req.DNSNames = append(req.DNSNames, name)
		}
	}
	return req
}

func (p *pki) write(name string, pair *KeyPair) error {
	if err := writeFile(p.key(name), pair.KeyPEM); err != nil {
		return err
	}
	return writeFile(p.cert(name), pair.CertPEM)
}

func (p *pki) writeServiceAccountKey() error {
	key, err := newKey(false)
	if err != nil {
		return err
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writeFile(p.key("service-account"), private); err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return writeFile(filepath.Join(p.dir, "service-account.pub"), public)
}

// writeFile replaces path atomically; nobody but the owner may read it. Most
// files here hold a private key, and the rest lose nothing.
func writeFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}
