package spool

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/fault"
)

// keySize is that of AES-256.
const keySize = 32

// A Key encrypts and authenticates frames with AES-256-GCM. nil stands for none.
type Key struct {
	aead cipher.AEAD
	// id tells keys apart without saying anything of them; zero is for frames without one.
	id [8]byte
}

// ParseKey reads 32 bytes as 64 hexadecimal digits or in base64. Its error does not show them.
func ParseKey(text string) (*Key, error) {
	text = strings.TrimSpace(text)
	b, err := hex.DecodeString(text)
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if err == nil && len(b) == keySize {
			break
		}
		b, err = e.DecodeString(text)
	}
	if err != nil || len(b) != keySize {
		return nil, fault.New(fault.Usage, "read the spool's key", errors.New("it is not 32 bytes in hexadecimal or base64"),
			"make one with: openssl rand -hex 32")
	}
	return newKey(b)
}

func newKey(b []byte) (*Key, error) {
	block, err := aes.NewCipher(b)
	if err != nil {
		return nil, err
	}
	k := &Key{}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, b)
	mac.Write([]byte("bascule spool: which key this is"))
	copy(k.id[:], mac.Sum(nil))
	return k, nil
}

// newNonce fills n at random: with 96 bits, 2^32 frames (4 PiB) under one key are safe.
func (k *Key) newNonce(n []byte) error {
	_, err := rand.Read(n)
	return err
}

// fits says what is wrong when a frame was not written with this key.
func (k *Key) fits(h *head) error {
	const op = "open the spool"
	encrypted := h.flags&flagEncrypted != 0
	switch {
	case encrypted && k == nil:
		return fault.New(fault.Refused, op, errors.New("it is encrypted and no key is named"), "name the key that it was begun with: --spool-key env:NAME")
	case !encrypted && k != nil:
		return fault.New(fault.Refused, op, errors.New("it was begun without encryption and a key is named"),
			"leave out --spool-key; or name another folder with --spool, whose spool then begins anew")
	case encrypted && k.id != h.keyID:
		return fault.New(fault.Refused, op, fmt.Errorf("it was written with another key (%x) than the one that is named (%x)", h.keyID[:4], k.id[:4]),
			"name the key that it was begun with: --spool-key")
	}
	return nil
}
