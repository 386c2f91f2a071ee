package logical

import (
	"encoding/binary"
	"fmt"
	"time"
)

// FrameKind tells what a Frame is.
type FrameKind byte

// The kinds of frames, as the protocol's first byte has them.
const (
	// FrameData carries one message of the plugin: Start, End, Time, Payload.
	FrameData FrameKind = 'w'
	// FrameKeepalive says how far the server is: End, Time, Reply.
	FrameKeepalive FrameKind = 'k'
)

// Frame is what one CopyData message from the server holds.
type Frame struct {
	Kind FrameKind
	// Start is the LSN of the payload; zero for messages without one of their own, such as Relation.
	Start LSN
	// End is how far the server has read its log for this connection; of a keepalive: everything before it
	// that concerns this connection was sent.
	End LSN
	// Time is when the server sent it, by its clock.
	Time time.Time
	// Reply says that the server ends the connection unless it hears from the client soon.
	Reply bool
	// Payload is part of the bytes that DecodeFrame was given.
	Payload []byte
}

// DecodeFrame reads the content of a CopyData message (type byte and length excluded).
func DecodeFrame(data []byte) (Frame, error) {
	r := reader{rest: data}
	f := Frame{Kind: FrameKind(r.uint8("kind"))}
	switch {
	case r.err != nil:
	case f.Kind == FrameData:
		f.Start = LSN(r.uint64("start"))
		f.End = LSN(r.uint64("end"))
		f.Time = fromMicros(int64(r.uint64("time")))
		f.Payload, r.rest = r.rest, nil
	case f.Kind == FrameKeepalive:
		f.End = LSN(r.uint64("end"))
		f.Time = fromMicros(int64(r.uint64("time")))
		reply := r.uint8("reply")
		f.Reply = reply == 1
		if reply > 1 {
			r.err = fmt.Errorf("reply is %d", reply)
		}
	default:
		return Frame{}, fmt.Errorf("decode a replication frame: unknown kind %q", byte(f.Kind))
	}
	if err := r.end(); err != nil {
		return Frame{}, fmt.Errorf("decode a replication frame of kind %q: %w", byte(f.Kind), err)
	}
	return f, nil
}

// Status is a standby status update: what the client tells the server.
type Status struct {
	// Written is up to where the client has received, Flushed up to where it can never ask again. The server lets go of its
	// log up to Flushed; zero changes nothing there.
	Written, Flushed LSN
	Time             time.Time
	// Reply asks for a keepalive at once.
	Reply bool
}

// AppendStatus appends the content of a CopyData message that tells a Status. Flushed is also told as applied.
func AppendStatus(dst []byte, s Status) []byte {
	dst = append(dst, 'r')
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Written))
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Flushed))
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Flushed))
	dst = binary.BigEndian.AppendUint64(dst, uint64(toMicros(s.Time)))
	if s.Reply {
		return append(dst, 1)
	}
	return append(dst, 0)
}
