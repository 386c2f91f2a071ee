package wire

import (
	"crypto/sha1"
	"crypto/subtle"
	"errors"
)

// nativePassword is mysql_native_password: SHA1(password) masked with SHA1(nonce + SHA1(SHA1(password))).
type nativePassword struct{ noMore }

func (nativePassword) start(l *login) ([]byte, error) {
	if l.password == "" {
		return []byte{}, nil
	}
	once := sha1.Sum([]byte(l.password))
	twice := sha1.Sum(once[:])
	mask := sha1.Sum(append(append([]byte{}, l.nonce...), twice[:]...))
	subtle.XORBytes(mask[:], mask[:], once[:])
	return mask[:], nil
}

// clearPassword is mysql_clear_password: the password itself, for servers that check it elsewhere (IAM tokens, LDAP, PAM).
type clearPassword struct{ noMore }

// errCleartext tells who meets it which of the two conditions is missing.
var errCleartext = errors.New("the server wants the password in clear text, which is done only over TLS and when the configuration allows it")

func (clearPassword) start(l *login) ([]byte, error) {
	if !l.tls || !l.cleartext {
		return nil, errCleartext
	}
	return append([]byte(l.password), 0), nil
}
