package cluster

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func verify(ca *CA, pair *KeyPair, name string, usage x509.ExtKeyUsage) error {
	roots := x509.NewCertPool()
	roots.AddCert(ca.Cert)
	_, err := pair.Cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

func TestIssue(t *testing.T) {
	ca, other := mustCA(t, false), mustCA(t, false)
	serving := ServingRequest(&Options{})
	with := func(change func(*CertRequest)) CertRequest {
		req := serving
		change(&req)
		return req
	}
	server, client := x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth
	for _, row := range []struct {
		name  string
		ca    *CA
		req   CertRequest
		host  string
		usage x509.ExtKeyUsage
		want  string // part of the error, empty for none
	}{
		{"loopback", ca, serving, "127.0.0.1", server, ""},
		{"seen from QEMU", ca, serving, "10.0.2.2", server, ""},
		{"seen from the lab", ca, serving, LabServerIP, server, ""},
		{"the lab's gateway", ca, serving, LabGatewayIP, server, ""},
		{"the lab's name", ca, serving, LabServerName, server, ""},
		{"by name", ca, serving, "localhost", server, ""},
		{"RSA", ca, with(func(r *CertRequest) { r.RSA = true }), "localhost", server, ""},
		{"wrong name", ca, serving, "example.test", server, "not example.test"},
		{"wrong CA", other, serving, "localhost", server, "unknown authority"},
		{"wrong usage", ca, serving, "localhost", client, "incompatible key usage"},
		{"expired", ca, with(func(r *CertRequest) { r.NotAfter = time.Now().Add(-time.Minute) }),
			"localhost", server, "expired or is not yet valid"},
		{"not yet valid", ca, with(func(r *CertRequest) { r.NotBefore = time.Now().Add(time.Minute) }),
			"localhost", server, "expired or is not yet valid"},
	} {
		pair, err := row.ca.Issue(row.req)
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		err = verify(ca, pair, row.host, row.usage)
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
}

func TestNodeIdentityIsNoMore(t *testing.T) {
	pair, err := mustCA(t, false).Issue(nodeRequest("rack-1"))
	if err != nil {
		t.Fatal(err)
	}
	subject := pair.Cert.Subject
	if subject.CommonName != "system:node:rack-1" || !slices.Equal(subject.Organization, []string{"system:nodes"}) {
		t.Errorf("subject %v", subject)
	}
	if !slices.Equal(pair.Cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) || pair.Cert.IsCA {
		t.Errorf("usages %v, CA %v", pair.Cert.ExtKeyUsage, pair.Cert.IsCA)
	}
}

func TestPKIFiles(t *testing.T) {
	for _, useRSA := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "pki")
		p, err := newPKI(dir, &Options{RSA: useRSA, ExtraSANs: []string{"10.9.8.7", "api.test"}})
		if err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if info, err := file.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v; want 0600", file.Name(), info.Mode(), err)
			}
		}
		ca, err := loadCA(p.cert(caCluster), p.key(caCluster))
		if err != nil {
			t.Fatal(err)
		}
		if !ca.Cert.Equal(p.ca.Cert) {
			t.Error("another CA came back from the files")
		}
		serving, err := loadCA(p.cert("apiserver"), p.key("apiserver"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"10.9.8.7", "api.test"} {
			if err := verify(ca, &serving.KeyPair, name, x509.ExtKeyUsageServerAuth); err != nil {
				t.Error(err)
			}
		}
		_, isRSA := serving.Cert.PublicKey.(*rsa.PublicKey)
		_, isECDSA := serving.Cert.PublicKey.(*ecdsa.PublicKey)
		if isRSA != useRSA || isECDSA == useRSA {
			t.Errorf("RSA %v: got a %T", useRSA, serving.Cert.PublicKey)
		}
	}
}

// A node's certificate must not open etcd: its CA is not the cluster's.
func TestEtcdTrustsItsOwnCA(t *testing.T) {
	p, err := newPKI(t.TempDir(), &Options{})
	if err != nil {
		t.Fatal(err)
	}
	etcdCA, err := loadCA(p.cert(caEtcd), p.key(caEtcd))
	if err != nil {
		t.Fatal(err)
	}
	node, err := p.ca.Issue(nodeRequest("n"))
	if err != nil {
		t.Fatal(err)
	}
	if verify(etcdCA, node, "", x509.ExtKeyUsageClientAuth) == nil {
		t.Error("etcd's CA accepts a node's certificate")
	}
}

func TestCheckNodeName(t *testing.T) {
	for name, ok := range map[string]bool{
		"n": true, "rack-1": true, "a.b-c.d": true, strings.Repeat("a", 253): true,
		"": false, "-a": false, "a-": false, "A": false, "a..b": false, "../x": false, "a/b": false,
		"a_b": false, strings.Repeat("a", 254): false, "a\n": false,
	} {
		if err := CheckNodeName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func mustCA(t *testing.T, useRSA bool) *CA {
	t.Helper()
	ca, err := NewCA("test", useRSA)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}
