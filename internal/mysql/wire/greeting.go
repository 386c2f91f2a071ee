package wire

import "strings"

// A greeting is the server's first packet, "Handshake v10".
type greeting struct {
	version      string
	connectionID uint32
	nonce        []byte // 20 bytes for the methods of MySQL
	caps         Capability
	status       Status
	plugin       string
}

// parseGreeting decodes the payload of a Handshake v10. An ERR packet in its place (too many connections, host not allowed)
// becomes a ServerError.
func parseGreeting(p []byte) (*greeting, error) {
	if len(p) > 0 && p[0] == headERR {
		return nil, parseERR(p)
	}
	c := cursor{b: p}
	if v := c.u8(); c.bad || v != 10 {
		return nil, protocolErrorf("greeting of protocol version %d, only 10 is known; is this a MySQL or MariaDB server?", v)
	}
	g := &greeting{version: string(c.untilNul()), connectionID: c.u32()}
	g.nonce = append(g.nonce, c.take(8)...)
	c.take(1)
	g.caps = Capability(c.u16())
	if len(c.b) > 0 {
		c.take(1) // default collation
		g.status = Status(c.u16())
		g.caps |= Capability(c.u16()) << 16
		n := int(c.u8())
		c.take(6)
		if ext := Capability(c.u32()); !g.caps.Has(CapMySQL) {
			g.caps |= ext << 32
		}
		if g.caps.Has(CapSecureConnection) {
			second := c.take(min(max(13, n-8), len(c.b)))
			if k := len(second); k > 0 && second[k-1] == 0 {
				second = second[:k-1]
			}
			g.nonce = append(g.nonce, second...)
		}
		if g.caps.Has(CapPluginAuth) {
			g.plugin = string(c.untilNul())
		}
	}
	if c.bad {
		return nil, protocolErrorf("greeting ends too early, after %d bytes", len(p))
	}
	if !g.caps.Has(capRequired) {
		return nil, protocolErrorf("server %q is too old: it has none of the login methods of MySQL 5.5 and later", g.version)
	}
	return g, nil
}

// mariaDB reports whether the server is MariaDB, whose 10.x versions put "5.5.5-" before their own.
func (g *greeting) mariaDB() bool {
	return strings.Contains(g.version, "MariaDB") || !g.caps.Has(CapMySQL)
}

// A response is the client's answer to the greeting, "HandshakeResponse41".
type response struct {
	caps       Capability
	maxPacket  uint32
	user       string
	auth       []byte
	database   string
	plugin     string
	attributes [][2]string
	zstdLevel  byte
}

// appendHead appends the 32 bytes that begin both the answer and the request for TLS, which is nothing but this head.
func (r *response) appendHead(dst []byte) []byte {
	var head [32]byte
	c := uint32(r.caps)
	head[0], head[1], head[2], head[3] = byte(c), byte(c>>8), byte(c>>16), byte(c>>24)
	m := r.maxPacket
	head[4], head[5], head[6], head[7] = byte(m), byte(m>>8), byte(m>>16), byte(m>>24)
	head[8] = collationUTF8MB4
	if !r.caps.Has(CapMySQL) {
		e := uint32(r.caps >> 32)
		head[28], head[29], head[30], head[31] = byte(e), byte(e>>8), byte(e>>16), byte(e>>24)
	}
	return append(dst, head[:]...)
}

// append appends the whole answer.
func (r *response) append(dst []byte) []byte {
	dst = r.appendHead(dst)
	dst = append(append(dst, r.user...), 0)
	if r.caps.Has(CapPluginAuthLenenc) {
		dst = appendLenenc(dst, uint64(len(r.auth)))
	} else {
		dst = append(dst, byte(len(r.auth)))
	}
	dst = append(dst, r.auth...)
	if r.caps.Has(CapConnectWithDB) {
		dst = append(append(dst, r.database...), 0)
	}
	dst = append(append(dst, r.plugin...), 0)
	if r.caps.Has(CapConnectAttrs) {
		var attrs []byte
		for _, a := range r.attributes {
			attrs = appendLenencString(appendLenencString(attrs, a[0]), a[1])
		}
		dst = append(appendLenenc(dst, uint64(len(attrs))), attrs...)
	}
	if r.caps.Has(CapZstd) {
		dst = append(dst, r.zstdLevel)
	}
	return dst
}
