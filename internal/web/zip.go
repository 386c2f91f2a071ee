package web

import (
	"bytes"
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
