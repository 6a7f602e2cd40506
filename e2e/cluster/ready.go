package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	pollPeriod     = 50 * time.Millisecond
	requestTimeout = 5 * time.Second
)

// httpClient trusts one authority and shows one certificate; it never uses a
// proxy.
func httpClient(ca *CA, pair *KeyPair) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(ca.Cert)
	config := &tls.Config{RootCAs: roots}
	if pair != nil {
		config.Certificates = []tls.Certificate{{Certificate: [][]byte{pair.Cert.Raw}, PrivateKey: pair.Key}}
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	return &http.Client{Transport: transport, Timeout: requestTimeout}
}

// get returns nil if the answer is 200.
func get(ctx context.Context, client *http.Client, url string) error {
	return do(ctx, client, http.MethodGet, url, nil, http.StatusOK)
}

// do sends body as JSON unless nil and expects one of the given statuses.
func do(ctx context.Context, client *http.Client, method, url string, body any, accept ...int) error {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, logTail))
	if err != nil {
		return err
	}
	for _, status := range accept {
		if res.StatusCode == status {
			return nil
		}
	}
	return fmt.Errorf("%s %s: %s: %s", method, url, res.Status, bytes.TrimSpace(text))
}

// await polls check until it succeeds, ctx ends, or the process ends: a
// component that refuses its flags is reported at once, with its last words.
func await(ctx context.Context, p *process, what string, check func(context.Context) error) error {
	ticker := time.NewTicker(pollPeriod)
	defer ticker.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended (%v) before %s; the end of %s:\n%s",
				p.name, p.err, what, p.logFile, tail(p.logFile))
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("%s: no sign of %s in time: %w; see %s", p.name, what, err, p.logFile)
		case <-ticker.C:
		}
	}
}
