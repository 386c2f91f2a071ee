package web

import (
	"bytes"
	"encoding/json"
)

// document is a state in sections, each a set of keys with values. What changes is sent by key.
type document map[string]map[string]json.RawMessage

// put sets a key. What is put are this package's own structs, which always encode.
func (d document) put(section, key string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		raw = []byte("null")
	}
	if d[section] == nil {
		d[section] = map[string]json.RawMessage{}
	}
	d[section][key] = raw
}

var gone = json.RawMessage("null")

// since returns what has to be put to make of old what d is; a key that is gone has the value null. Nil when nothing changed.
func (d document) since(old document) document {
	var out document
	put := func(section, key string, raw json.RawMessage) {
		if out == nil {
			out = document{}
		}
		if out[section] == nil {
			out[section] = map[string]json.RawMessage{}
		}
		out[section][key] = raw
	}
	for section, keys := range d {
		before := old[section]
		for key, raw := range keys {
			if !bytes.Equal(raw, before[key]) {
				put(section, key, raw)
			}
		}
	}
	for section, keys := range old {
		for key := range keys {
			if _, still := d[section][key]; !still {
				put(section, key, gone)
			}
		}
	}
	return out
}

// message is what a viewer gets: everything, or what changed.
type message struct {
	// ID names the state that this leads to.
	ID string `json:"id"`
	// Now is the server's clock, in milliseconds since 1970.
	Now      int64    `json:"now"`
	Sections document `json:"sections"`
}
