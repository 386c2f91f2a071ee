package wire

import (
	"crypto/ed25519"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"fmt"

	"filippo.io/edwards25519"
)

// mariadbNonce is the length of both sides' nonces in MariaDB's signing methods.
const mariadbNonce = 32

// clientEd25519 is MariaDB's ed25519: the nonce signed with Ed25519, where SHA512(password) stands in the place of the expanded
// seed. The standard library signs only from a 32-byte seed, hence the curve arithmetic (RFC 8032, 5.1.6).
type clientEd25519 struct{ noMore }

func (clientEd25519) start(l *login) ([]byte, error) {
	if len(l.nonce) < mariadbNonce {
		return nil, protocolErrorf("nonce of %d bytes, not %d", len(l.nonce), mariadbNonce)
	}
	message := l.nonce[:mariadbNonce]
	expanded := sha512.Sum512([]byte(l.password))
	secret, err := edwards25519.NewScalar().SetBytesWithClamping(expanded[:32])
	if err != nil {
		return nil, fmt.Errorf("derive the key: %w", err)
	}
	public := edwards25519.NewIdentityPoint().ScalarBaseMult(secret).Bytes()
	r, err := hashToScalar(expanded[32:], message)
	if err != nil {
		return nil, err
	}
	point := edwards25519.NewIdentityPoint().ScalarBaseMult(r).Bytes()
	k, err := hashToScalar(point, public, message)
	if err != nil {
		return nil, err
	}
	return append(point, k.MultiplyAdd(k, secret, r).Bytes()...), nil
}

func hashToScalar(parts ...[]byte) (*edwards25519.Scalar, error) {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	s, err := edwards25519.NewScalar().SetUniformBytes(h.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("reduce a hash: %w", err)
	}
	return s, nil
}

const (
	parsecKDF = 'P' // PBKDF2 with SHA-512
	// parsecMaxFactor bounds the work that a server can ask for: 1024<<10 rounds take about a second.
	parsecMaxFactor = 10
)

// parsec is MariaDB's PARSEC (11.6 and later): an Ed25519 key is derived from the password with the account's salt and number
// of rounds, which an empty packet asks for, and signs both sides' nonces.
type parsec struct{}

func (parsec) start(l *login) ([]byte, error) {
	if len(l.nonce) < mariadbNonce {
		return nil, protocolErrorf("nonce of %d bytes, not %d", len(l.nonce), mariadbNonce)
	}
	return []byte{}, nil
}

func (parsec) more(l *login, data []byte) ([]byte, error) {
	if len(l.nonce) < mariadbNonce || len(data) < 2 || data[0] != parsecKDF {
		return nil, protocolErrorf("parsec: unknown key derivation")
	}
	if data[1] > parsecMaxFactor {
		return nil, protocolErrorf("parsec: 1024<<%d rounds asked for, at most 1024<<%d are done", data[1], parsecMaxFactor)
	}
	seed, err := pbkdf2.Key(sha512.New, l.password, data[2:], 1024<<data[1], ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive the key: %w", err)
	}
	answer := make([]byte, mariadbNonce, mariadbNonce+ed25519.SignatureSize)
	if _, err := rand.Read(answer); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	message := append(append([]byte{}, l.nonce[:mariadbNonce]...), answer...)
	return append(answer, ed25519.Sign(ed25519.NewKeyFromSeed(seed), message)...), nil
}
