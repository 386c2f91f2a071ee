package wire

// First bytes that tell the packets of a reply apart.
const (
	headOK        = 0x00
	headMore      = 0x01
	headNextAuth  = 0x02
	headLocalFile = 0xfb
	headEOF       = 0xfe // also an OK packet in the place of EOF, and the request to switch the login method
	headERR       = 0xff
)

// Result is what a statement without rows reports, and what ends the rows of one that has them.
type Result struct {
	AffectedRows uint64
	LastInsertID uint64
	Warnings     uint16
	Status       Status
}

// parseOK decodes an OK packet, including one with the head 0xfe that stands where EOF did.
func parseOK(p []byte) (Result, error) {
	c := cursor{b: p}
	c.take(1)
	r := Result{AffectedRows: c.lenenc(), LastInsertID: c.lenenc(), Status: Status(c.u16()), Warnings: c.u16()}
	if c.bad {
		return Result{}, protocolErrorf("OK packet of %d bytes ends too early", len(p))
	}
	return r, nil
}

// parseEOF decodes the packet that ends a list of rows or of definitions: an EOF packet, or an OK packet if that was agreed.
func parseEOF(p []byte, caps Capability) (Result, error) {
	if caps.Has(CapDeprecateEOF) {
		return parseOK(p)
	}
	c := cursor{b: p}
	c.take(1)
	r := Result{Warnings: c.u16(), Status: Status(c.u16())}
	if c.bad || len(c.b) > 0 {
		return Result{}, protocolErrorf("EOF packet of %d bytes, not 5", len(p))
	}
	return r, nil
}

// parseERR decodes an ERR packet. Before the login servers may leave the SQLSTATE out.
func parseERR(p []byte) error {
	c := cursor{b: p}
	c.take(1)
	e := &ServerError{Code: c.u16(), State: "HY000"}
	if len(c.b) >= 6 && c.b[0] == '#' {
		e.State = string(c.take(6)[1:])
	}
	e.Message = string(c.rest())
	if c.bad {
		return protocolErrorf("ERR packet of %d bytes ends too early", len(p))
	}
	return e
}
