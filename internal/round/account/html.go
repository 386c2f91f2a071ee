package account

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"sync"
)

// HTML writes the same report as Markdown as a page of its own: it loads nothing, runs nothing, and can be printed. It is well-formed XML too.
func (a *Account) HTML() []byte {
	r := a.report()
	for i := range r.Tables {
		for _, row := range r.Tables[i].Rows {
			for k := range row {
				row[k] = clean(row[k])
			}
		}
	}
	r.Title = clean(r.Title)
	var b bytes.Buffer
	if err := page().Execute(&b, r); err != nil {
		panic("the report's template: " + err.Error()) // it is ours, its data are strings, and a buffer takes everything
	}
	return b.Bytes()
}

const pageStyle = `
:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;max-width:75rem;margin:0 auto;padding:1rem;color:#1b1f24;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #d1d9e0;overflow-wrap:anywhere}
th{white-space:nowrap}
@media (prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}th,td{border-color:#3d444d}}
@media print{body{color:#000;background:#fff;max-width:none;padding:0;font-size:9pt}.wide{overflow:visible}tr{break-inside:avoid}thead{display:table-header-group}}
`

// page is the template of the report. Its policy allows its own style, by its hash, and nothing else.
var page = sync.OnceValue(func() *template.Template {
	sum := sha256.Sum256([]byte(pageStyle))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	return template.Must(template.New("report").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="` + policy + `"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{{.Title}}</title><style>` + pageStyle + `</style></head>
<body><h1>{{.Title}}</h1>
{{range .Tables}}<section><h2>{{.Title}}</h2>
{{if .Rows}}<div class="wide" tabindex="0"><table><thead><tr>{{range .Head}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>{{range .Rows}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>
{{end}}</tbody></table></div>{{else}}<p>{{.None}}</p>{{end}}</section>
{{end}}</body></html>
`))
})
