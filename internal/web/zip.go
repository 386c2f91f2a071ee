package web

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
)

// zip returns the gzipped form of what is in memory, which cannot fail.
func zip(raw []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(raw)
	_ = z.Close()
	return b.Bytes()
}

// gzipHead begins a gzip file of which nothing else is known. What deflate returns may follow it, any number of times.
var gzipHead = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}

// deflate returns blocks of deflate that refer to nothing before them and end at a byte, so that they can stand in any stream (RFC 1951, 3.2.4).
func deflate(raw []byte) []byte {
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		return nil // there is that level
	}
	_, _ = z.Write(raw)
	_ = z.Flush()
	return b.Bytes()
}

// sendZipped sends what is zipped already, unzipped to those who cannot read that.
func sendZipped(w http.ResponseWriter, r *http.Request, zipped []byte) {
	w.Header().Set("Vary", "Accept-Encoding")
	if takesZip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", strconv.Itoa(len(zipped)))
		_, _ = w.Write(zipped) // whoever does not read has gone
		return
	}
	if z, err := gzip.NewReader(bytes.NewReader(zipped)); err == nil {
		_, _ = io.Copy(w, z) //nolint:gosec // this server has zipped it
	}
}
