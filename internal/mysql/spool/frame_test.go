package spool

import (
	"bytes"
	"testing"
)

// TestOpenBehindMuch opens a frame behind more than one frame may hold: a transaction has no limit.
func TestOpenBehindMuch(t *testing.T) {
	s, err := newSealer(nil)
	if err != nil {
		t.Fatal(err)
	}
	var h head
	events := bytes.Repeat([]byte("events"), 1000)
	_, err = s.seal(&h, events)
	if err != nil {
		t.Fatal(err)
	}
	o, err := newOpener(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := o.open(make([]byte, maxRaw), &h, nil, s.raw)
	if err != nil || !bytes.Equal(got[maxRaw:], events) {
		t.Errorf("%d bytes, %v", len(got)-maxRaw, err)
	}
}
