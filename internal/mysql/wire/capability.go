package wire

// Capability is the set of protocol features that both sides of a connection agreed on. Bits 32 and up are MariaDB's.
type Capability uint64

// The capabilities that this package knows; all others stay off.
const (
	// CapMySQL is CLIENT_LONG_PASSWORD of old. A MariaDB server leaves it out to say that it has extended capabilities, and a
	// client that leaves it out gets them.
	CapMySQL            Capability = 1 << 0
	CapLongFlag         Capability = 1 << 2
	CapConnectWithDB    Capability = 1 << 3
	CapCompress         Capability = 1 << 5
	CapProtocol41       Capability = 1 << 9
	CapTLS              Capability = 1 << 11
	CapTransactions     Capability = 1 << 13
	CapSecureConnection Capability = 1 << 15
	CapPluginAuth       Capability = 1 << 19
	CapConnectAttrs     Capability = 1 << 20
	CapPluginAuthLenenc Capability = 1 << 21
	CapDeprecateEOF     Capability = 1 << 24
	CapZstd             Capability = 1 << 26
	CapExtendedMetadata Capability = 1 << 35
	capExtendedMask     Capability = 0xffffffff << 32
	capRequired                    = CapProtocol41 | CapSecureConnection | CapPluginAuth
	capWanted                      = capRequired | CapLongFlag | CapTransactions | CapConnectAttrs | CapPluginAuthLenenc | CapDeprecateEOF | CapExtendedMetadata
	collationUTF8MB4    byte       = 45 // utf8mb4_general_ci, the only id for utf8mb4 that every server version knows
)

// Has reports whether all of want is there.
func (c Capability) Has(want Capability) bool { return c&want == want }

// Status is the server's status word, sent with each OK and EOF packet.
type Status uint16

// The status flags that matter to a reader of data.
const (
	StatusInTransaction      Status = 1 << 0
	StatusAutocommit         Status = 1 << 1
	StatusMoreResults        Status = 1 << 3
	StatusNoBackslashEscapes Status = 1 << 9
)
