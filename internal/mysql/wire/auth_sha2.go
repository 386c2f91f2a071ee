package wire

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// Bytes of the exchange of caching_sha2_password and sha256_password.
const (
	sha2AskKey     = 2 // client: send the public key
	sha2FastOK     = 3 // server: found in the cache, OK follows
	sha2Full       = 4 // server: not in the cache, send the password
	sha256AskKey   = 1 // client, sha256_password
	rsaMinimumBits = 1024
)

// cachingSHA2 is caching_sha2_password. The fast answer is SHA256(password) masked with SHA256(SHA256(SHA256(password)) +
// nonce). When the server has no cached entry it wants the password: as it is where nobody can listen, else encrypted with
// the server's RSA key, which is asked for unless the configuration gives it. A key that is asked for can be an attacker's:
// only TLS or a configured key protects against one who sits in between.
type cachingSHA2 struct{ full bool }

func (*cachingSHA2) start(l *login) ([]byte, error) {
	if l.password == "" {
		return []byte{}, nil
	}
	once := sha256.Sum256([]byte(l.password))
	twice := sha256.Sum256(once[:])
	mask := sha256.Sum256(append(append([]byte{}, twice[:]...), l.nonce...))
	subtle.XORBytes(mask[:], mask[:], once[:])
	return mask[:], nil
}

func (m *cachingSHA2) more(l *login, data []byte) ([]byte, error) {
	if m.full {
		return encryptWithPEM(l, data)
	}
	if len(data) != 1 {
		return nil, protocolErrorf("caching_sha2_password: %d bytes where a verdict was due", len(data))
	}
	switch data[0] {
	case sha2FastOK:
		return nil, nil
	case sha2Full:
		m.full = true
		if l.confidential() {
			return append([]byte(l.password), 0), nil
		}
		if l.key != nil {
			return encryptPassword(l, l.key)
		}
		return []byte{sha2AskKey}, nil
	}
	return nil, protocolErrorf("caching_sha2_password: unknown verdict %d", data[0])
}

// sha256Password is sha256_password: always the password, as it is over TLS, else encrypted. Its server side does not count a
// Unix socket as safe.
type sha256Password struct{}

func (sha256Password) start(l *login) ([]byte, error) {
	switch {
	case l.password == "":
		return []byte{0}, nil
	case l.tls:
		return append([]byte(l.password), 0), nil
	case l.key != nil:
		return encryptPassword(l, l.key)
	}
	return []byte{sha256AskKey}, nil
}

func (sha256Password) more(l *login, data []byte) ([]byte, error) {
	return encryptWithPEM(l, data)
}

func encryptWithPEM(l *login, data []byte) ([]byte, error) {
	key, err := parsePublicKey(data)
	if err != nil {
		return nil, err
	}
	return encryptPassword(l, key)
}

// parsePublicKey decodes the PEM block that a server sends for its RSA key.
func parsePublicKey(data []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, protocolErrorf("%d bytes where the server's public key was due", len(data))
	}
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, protocolErrorf("the server's public key: %v", err)
	}
	key, ok := k.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < rsaMinimumBits {
		return nil, protocolErrorf("the server's public key is no RSA key of at least %d bits", rsaMinimumBits)
	}
	return key, nil
}

// encryptPassword masks the password with the nonce and encrypts it (RSA, OAEP with SHA1), as both methods want it.
func encryptPassword(l *login, key *rsa.PublicKey) ([]byte, error) {
	if len(l.nonce) == 0 {
		return nil, protocolErrorf("no nonce to mask the password with")
	}
	masked := append([]byte(l.password), 0)
	for i := range masked {
		masked[i] ^= l.nonce[i%len(l.nonce)]
	}
	out, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key, masked, nil)
	if err != nil {
		return nil, fmt.Errorf("encrypt the password for the server: %w", err)
	}
	return out, nil
}
