package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed page
var pageFiles embed.FS

const indexName = "index.html"

// assets are the files of the page, read once, with their zipped forms. Their address holds a hash over all of them, so that browsers keep them for good.
type assets struct {
	hash  string
	page  asset
	files map[string]asset
}

type asset struct {
	kind   string
	zipped []byte
}

func newAssets() *assets {
	a := &assets{files: map[string]asset{}}
	var index []byte
	sum := sha256.New()
	names, err := fs.ReadDir(pageFiles, "page")
	if err != nil {
		panic("the page is not in the program: " + err.Error()) // it cannot be built so
	}
	for _, n := range names {
		raw, err := pageFiles.ReadFile("page/" + n.Name())
		if err != nil {
			panic("the page is not in the program: " + err.Error())
		}
		kind := mime.TypeByExtension(path.Ext(n.Name()))
		switch path.Ext(n.Name()) { // whatever the machine's own table says
		case ".js":
			kind = "text/javascript; charset=utf-8"
		case ".css":
			kind = "text/css; charset=utf-8"
		case ".svg":
			kind = "image/svg+xml"
		case ".html":
			kind = "text/html; charset=utf-8"
		}
		_, _ = sum.Write([]byte(n.Name()))
		_, _ = sum.Write(raw) // a hash takes everything
		a.files[n.Name()] = asset{kind, zip(raw)}
		if n.Name() == indexName {
			index = raw
		}
	}
	a.hash = hex.EncodeToString(sum.Sum(nil))[:16]
	a.page = asset{a.files[indexName].kind, zip(bytes.ReplaceAll(index, []byte("{{assets}}"), []byte("/assets/"+a.hash)))}
	delete(a.files, indexName)
	return a
}

// index sends the page. There is nothing in it that anybody must not see.
func (a *assets) index(w http.ResponseWriter, r *http.Request) { a.page.send(w, r) }

func (a *assets) file(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.PathValue("name")]
	if !ok || r.PathValue("hash") != a.hash {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	f.send(w, r)
}

func (f *asset) send(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", f.kind)
	sendZipped(w, r, f.zipped)
}

func takesZip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(coding, "gzip") && strings.TrimSpace(q) != "q=0" {
			return true
		}
	}
	return false
}
