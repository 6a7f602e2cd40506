package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

const (
	// validity of what the cluster mints for itself; a test cluster does not
	// live for a year, and tests of expiry pass their own dates.
	validity = 365 * 24 * time.Hour
	// backdate lets a node whose clock lags a little accept a new certificate.
	backdate = time.Hour
)

// KeyPair is a certificate with its private key.
type KeyPair struct {
	Cert *x509.Certificate
	Key  crypto.Signer

	CertPEM []byte
	KeyPEM  []byte // SEC 1 for ECDSA, PKCS #1 for RSA
}

// CA signs certificates. Its private key is in the KeyPair.
type CA struct{ KeyPair }

// CertRequest says what a certificate shall contain. Tests use it to mint odd
// ones: dates in the past or the future, other names, another CA.
type CertRequest struct {
	CommonName   string
	Organization []string
	DNSNames     []string
	IPs          []net.IP

	Server bool // extended key usage serverAuth
	Client bool // extended key usage clientAuth

	NotBefore time.Time // zero: an hour ago
	NotAfter  time.Time // zero: in a year, but never after the CA's own end

	RSA bool          // an RSA-2048 key rather than ECDSA P-256
	Key crypto.Signer // nil: a new key
}

// NewCA makes a self-signed certificate authority.
func NewCA(commonName string, useRSA bool) (*CA, error) {
	key, err := newKey(useRSA)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	pair, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	return &CA{*pair}, nil
}

// Issue signs a certificate for req.
func (ca *CA) Issue(req CertRequest) (*KeyPair, error) {
	key := req.Key
	if key == nil {
		var err error
		if key, err = newKey(req.RSA); err != nil {
			return nil, err
		}
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: req.CommonName, Organization: req.Organization},
		DNSNames:              req.DNSNames,
		IPAddresses:           req.IPs,
		NotBefore:             req.NotBefore,
		NotAfter:              req.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-backdate)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(validity)
		if template.NotAfter.After(ca.Cert.NotAfter) {
			template.NotAfter = ca.Cert.NotAfter
		}
	}
	if _, ok := key.(*rsa.PrivateKey); ok {
		// TLS 1.2 with RSA key exchange, and some verifiers, ask for this bit.
		template.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	if req.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if req.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	return sign(template, ca.Cert, key, ca.Key)
}

func newKey(useRSA bool) (crypto.Signer, error) {
	if useRSA {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
}

func sign(template, parent *x509.Certificate, key, parentKey crypto.Signer) (*KeyPair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, fmt.Errorf("sign certificate %q: %w", template.Subject.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return &KeyPair{Cert: cert, Key: key, CertPEM: certPEM, KeyPEM: keyPEM}, nil
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
	case *rsa.PrivateKey:
		der := x509.MarshalPKCS1PrivateKey(k)
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der}), nil
	}
	return nil, fmt.Errorf("cannot encode a private key of type %T", key)
}

// loadCA reads back what write stored.
func loadCA(certFile, keyFile string) (*CA, error) {
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	certBlock, _ := pem.Decode(certPEM)
	if certBlock == nil {
		return nil, fmt.Errorf("%s is not PEM", certFile)
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, err
	}
	key, err := loadKey(keyFile)
	if err != nil {
		return nil, err
	}
	keyPEM, err := encodeKey(key)
	return &CA{KeyPair{Cert: cert, Key: key, CertPEM: certPEM, KeyPEM: keyPEM}}, err
}

// loadKey reads what encodeKey made.
func loadKey(file string) (key crypto.Signer, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", file)
	}
	switch block.Type {
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		err = errors.New("unknown private key type " + block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}
