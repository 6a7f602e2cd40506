package cluster

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// KubeletClient is what the API server shows to kubelets; its user is
// KubeletClientUser.
func (a *Access) KubeletClient() (tls.Certificate, error) {
	return tls.LoadX509KeyPair(a.pki.cert("kubelet-client"), a.pki.key("kubelet-client"))
}

// ForgeToken signs a service account's token again, with other claims: the API
// server itself makes none that ends within ten minutes.
func (a *Access) ForgeToken(token string, change func(claims map[string]any)) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("no JWT")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	claims := map[string]any{}
	if err := json.Unmarshal(text, &claims); err != nil {
		return "", err
	}
	change(claims)
	if text, err = json.Marshal(claims); err != nil {
		return "", err
	}
	key, err := loadKey(a.pki.key("service-account"))
	if err != nil {
		return "", err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return "", fmt.Errorf("a key of type %T", key)
	}
	signed := parts[0] + "." + base64.RawURLEncoding.EncodeToString(text)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
	if err != nil {
		return "", err
	}
	// RFC 7518 §3.4: two numbers of 32 bytes.
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
