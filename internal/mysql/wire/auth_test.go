package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"testing"

	"filippo.io/edwards25519"
)

// These tests are about what the servers of the bench cannot show: methods that they lack, and servers that misbehave.

func TestParsecSignsBothNoncesWithTheDerivedKey(t *testing.T) {
	const password = "parsec ✓"
	nonce, salt := make([]byte, 32), make([]byte, 18)
	rand.Read(nonce)
	rand.Read(salt)
	c := scripted(bytes.NewReader(nil), 0, maxLoginPayload)
	seq := uint8(0)
	stream := appendPayload(nil, &seq, append([]byte("\xfeparsec\x00"), nonce...))
	seq++ // the client's empty packet
	stream = appendPayload(stream, &seq, append([]byte{'P', 1}, salt...))
	seq++
	stream = appendPayload(stream, &seq, []byte{0, 0, 0, 2, 0, 0, 0})
	c.s.in = bytes.NewReader(stream)
	if err := authenticate(c.s, &login{password: password, nonce: make([]byte, 20)}, nativePassword{}); err != nil {
		t.Fatal(err)
	}
	out := c.nc.(*scriptConn).out.Bytes()
	if !bytes.Equal(out[:4], []byte{0, 0, 0, 1}) || len(out) != 4+4+32+64 || out[7] != 3 {
		t.Fatalf("client sent % x", out)
	}
	answer := out[8:]
	seed, err := pbkdf2.Key(sha512.New, password, salt, 2048, 32)
	if err != nil {
		t.Fatal(err)
	}
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if !ed25519.Verify(public, append(bytes.Clone(nonce), answer[:32]...), answer[32:]) {
		t.Error("the signature does not verify")
	}
}

func TestParsecRefusesEndlessWork(t *testing.T) {
	l := &login{password: "x", nonce: make([]byte, 32)}
	for _, data := range [][]byte{{'P', 30, 1, 2}, {'Q', 0, 1}, {'P'}, {}} {
		var violation *ProtocolError
		if _, err := (parsec{}).more(l, data); !errors.As(err, &violation) {
			t.Errorf("% x: %v", data, err)
		}
	}
}

func TestEd25519VerifiesAgainstTheServersPublicKey(t *testing.T) {
	// The server keeps A = clamp(SHA512(password)[:32])*B and verifies as the standard says.
	nonce := make([]byte, 32)
	rand.Read(nonce)
	signature, err := clientEd25519{}.start(&login{password: "secret", nonce: nonce})
	if err != nil {
		t.Fatal(err)
	}
	h := sha512.Sum512([]byte("secret"))
	a, err := edwards25519.NewScalar().SetBytesWithClamping(h[:32])
	if err != nil {
		t.Fatal(err)
	}
	public := edwards25519.NewIdentityPoint().ScalarBaseMult(a).Bytes()
	if !ed25519.Verify(public, nonce, signature) {
		t.Error("the signature does not verify")
	}
}

func TestNativePasswordAnswersAKnownVector(t *testing.T) {
	// SHA1(p) XOR SHA1(nonce + SHA1(SHA1(p))), computed apart.
	got, err := nativePassword{}.start(&login{password: "secret", nonce: []byte("abcdefghijklmnopqrst")})
	if err != nil {
		t.Fatal(err)
	}
	if want := "8817c50fa779daef010ee7577825b0847df9842e"; hex.EncodeToString(got) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}

func TestPasswordsAreEncryptedForTheServersKeyOnly(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	l := &login{password: "secret", nonce: []byte("abcdefghijklmnopqrst")}
	m := &cachingSHA2{}
	if ask, err := m.more(l, []byte{sha2Full}); err != nil || !bytes.Equal(ask, []byte{sha2AskKey}) {
		t.Fatalf("full login in the clear: % x, %v", ask, err)
	}
	sealed, err := m.more(l, public)
	if err != nil {
		t.Fatal(err)
	}
	masked, err := rsa.DecryptOAEP(sha1.New(), nil, key, sealed, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range masked {
		masked[i] ^= l.nonce[i%20]
	}
	if string(masked) != "secret\x00" {
		t.Errorf("server decrypts %q", masked)
	}
	for _, bad := range [][]byte{nil, []byte("no pem"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte{1}})} {
		if _, err := parsePublicKey(bad); err == nil {
			t.Errorf("key %q accepted", bad)
		}
	}
}

func TestCleartextNeedsTLSAndPermission(t *testing.T) {
	for _, l := range []*login{
		{password: "token", tls: false, cleartext: true},
		{password: "token", tls: true, cleartext: false},
		{password: "token", local: true, cleartext: true},
	} {
		if out, err := (clearPassword{}).start(l); err == nil {
			t.Errorf("%+v: sent %q", l, out)
		}
	}
	out, err := clearPassword{}.start(&login{password: "token", tls: true, cleartext: true})
	if err != nil || string(out) != "token\x00" {
		t.Errorf("over TLS: %q, %v", out, err)
	}
}

func TestUnknownLoginMethodIsNamed(t *testing.T) {
	for stream, want := range map[string]string{
		"\xfeauthentication_kerberos_client\x00": `the server asks for login method "authentication_kerberos_client", which is not supported`,
		"\xfe":                                   "the account has a password of MySQL 4.0, which is not supported",
		"\x02whatever":                           "the account needs a second factor, which is not supported",
	} {
		c := scripted(bytes.NewReader(appendPayload(nil, new(uint8), []byte(stream))), 0, maxLoginPayload)
		if err := authenticate(c.s, &login{}, nativePassword{}); err == nil || err.Error() != want {
			t.Errorf("%q: %v", stream, err)
		}
	}
}
