package dependency_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/kube/dependency"
	"github.com/bascule/bascule/internal/kube/manifest"
)

func parsed(t *rapid.T, text string) *manifest.Set {
	set, err := manifest.Read(strings.NewReader(text), "-")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// shape is a rectangle with the text in it.
type shape struct {
	x, y, width, height float64
	text                string
}

// boxes reads the picture as a browser does, and returns its labelled boxes, and the words for those who hear it.
func boxes(t testing.TB, svg []byte) (all []shape, title, desc string, wide float64) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(svg))
	var at string
	number := func(e xml.StartElement, name string) float64 {
		for _, a := range e.Attr {
			if a.Name.Local == name {
				f, err := strconv.ParseFloat(a.Value, 64)
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
		}
		return 0
	}
	var last *shape
	depth := 0
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return all, title, desc, wide
		}
		if err != nil {
			t.Fatalf("it is no XML: %v\n%s", err, svg)
		}
		switch e := token.(type) {
		case xml.StartElement:
			depth++
			at = e.Name.Local
			if at == "svg" {
				wide = number(e, "width")
			}
			if class := attr(e, "class"); at == "rect" && strings.HasPrefix(class, "box") && number(e, "height") == 20 {
				last = &shape{x: number(e, "x"), y: number(e, "y"), width: number(e, "width"), height: number(e, "height")}
			}
		case xml.EndElement:
			depth--
			at = ""
		case xml.CharData:
			switch {
			case at == "text" && last != nil:
				last.text = string(e)
				all = append(all, *last)
				last = nil
			case at == "title" && depth == 2:
				title = string(e)
			case at == "desc":
				desc = string(e)
			}
		}
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// checked looks at a picture: nothing overlaps, all texts fit into their boxes and all boxes into the picture.
func checked(t testing.TB, m *dependency.Map) {
	t.Helper()
	all, title, desc, wide := boxes(t, dependency.SVG(m, "preprod"))
	if title != "Who uses what in preprod" || !strings.Contains(desc, "workloads.") {
		t.Errorf("title %q, description %q", title, desc)
	}
	for i, a := range all {
		if need := 7.23*float64(len([]rune(a.text))) + 8; need > a.width {
			t.Errorf("%q needs %.1f and has %.1f", a.text, need, a.width)
		}
		if a.x < 0 || a.x+a.width > wide {
			t.Errorf("%q stands out of the picture", a.text)
		}
		for _, b := range all[:i] {
			if a.x < b.x+b.width && b.x < a.x+a.width && a.y < b.y+b.height && b.y < a.y+a.height {
				t.Errorf("%q and %q overlap", a.text, b.text)
			}
		}
	}
	if len(all) < len(m.Of(dependency.Workload)) {
		t.Errorf("%d boxes for %d workloads", len(all), len(m.Of(dependency.Workload)))
	}
}

// marketplace writes an estate of so many services, as shops have them.
func marketplace(services int) string {
	var b strings.Builder
	for i := range services {
		fmt.Fprintf(&b, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: service-with-a-long-name-%[1]d, namespace: shop}\nspec:\n  template:\n    metadata: {labels: {app: s%[1]d}}\n    spec:\n      containers:\n      - name: app\n        env:\n", i)
		fmt.Fprintf(&b, "        - {name: DB_HOST, value: database-%d.c1.eu-west-1.rds.amazonaws.com}\n", i/7)
		fmt.Fprintf(&b, "        - {name: OTHER_DB_HOST, value: database-%d.c1.eu-west-1.rds.amazonaws.com}\n", (i*i+3)%services/7/((i%4)*100+1))
		fmt.Fprintf(&b, "        - {name: REDIS_URL, value: redis://cache-%d.example}\n", i%3)
		fmt.Fprintf(&b, "        - {name: UPLOADS, value: s3://a-bucket-with-a-name-that-is-longer-than-any-box-may-be-%d}\n", i%11)
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Service\nmetadata: {name: s%[1]d, namespace: shop}\nspec: {selector: {app: s%[1]d}}\n", i)
		if i%3 == 0 {
			fmt.Fprintf(&b, "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: s%[1]d, namespace: shop}\nspec: {rules: [{host: s%[1]d.a-rather-long-domain-name.shop.example, http: {paths: [{backend: {service: {name: s%[1]d}}}]}}]}\n", i)
		}
	}
	return b.String()
}

func TestPicturesAreLegible(t *testing.T) {
	for _, n := range []int{1, 2, 30, 60, 200} {
		checked(t, dependency.New(dependency.Input{Set: read(t, marketplace(n))}))
	}
	first := dependency.SVG(dependency.New(dependency.Input{Set: read(t, marketplace(60))}), "")
	if again := dependency.SVG(dependency.New(dependency.Input{Set: read(t, marketplace(60))}), ""); !bytes.Equal(first, again) {
		t.Error("the same manifests make two pictures")
	}
	rapid.Check(t, func(rt *rapid.T) {
		uses := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.IntRange(0, 12), 0, 4, rapid.ID[int]), 1, 20).Draw(rt, "uses")
		checked(t, dependency.New(dependency.Input{Set: parsed(rt, sharing(uses))}))
	})
}

// TestHostileNamesStayText puts markup, control characters and very long text where names are.
func TestHostileNamesStayText(t *testing.T) {
	text := `apiVersion: apps/v1
kind: Deployment
metadata: {name: "</title><script>alert(1)</script>\u0001\u202e&\"'", namespace: "<a>"}
spec: {template: {spec: {containers: [{name: a, env: [{name: BUCKET, value: "s3://x<b"}, {name: DB_HOST, value: "` + strings.Repeat("a", 4000) + `.example"}]}]}}}
`
	m := dependency.New(dependency.Input{Set: read(t, text)})
	checked(t, m)
	if svg := dependency.SVG(m, "<x>"); bytes.Contains(svg, []byte("<script")) || bytes.Contains(svg, []byte("<x>")) {
		t.Errorf("markup passes: %s", svg)
	}
}

// TestContrast computes the contrast of text and lines by the formula of WCAG 2.2, on light and on dark.
func TestContrast(t *testing.T) {
	svg := string(dependency.SVG(dependency.New(dependency.Input{Set: read(t, marketplace(30))}), ""))
	_, style, _ := strings.Cut(svg, "<style>")
	light, rest, ok := strings.Cut(style, "@media")
	if !ok {
		t.Fatal("there is no dark")
	}
	dark, _, _ := strings.Cut(rest, "\n")
	for name, part := range map[string]string{"light": light, "dark": dark} {
		colour := map[string]string{}
		first, _, _ := strings.Cut(part, "}")
		for _, m := range regexp.MustCompile(`--(\w+):(#[0-9a-f]{6})`).FindAllStringSubmatch(first, -1) {
			colour[m[1]] = m[2]
		}
		bands := regexp.MustCompile(`\.g\d\{--band:(#[0-9a-f]{6});--line:(#[0-9a-f]{6})\}`).FindAllStringSubmatch(part, -1)
		if len(bands) != 8 || len(colour) != 4 {
			t.Fatalf("%s has %d bands and the colours %v", name, len(bands), colour)
		}
		need := func(what, a, b string, least float64) {
			if c := contrast(t, a, b); c < least {
				t.Errorf("%s: %s has a contrast of %.2f, and needs %.1f", name, what, c, least)
			}
		}
		need("text in boxes", colour["text"], colour["ground"], 7)
		need("lesser text", colour["less"], colour["ground"], 4.5)
		for i, b := range bands {
			need(fmt.Sprintf("the heading of band %d", i), b[2], b[1], 4.5)
			need(fmt.Sprintf("thin lines on band %d", i), colour["thin"], b[1], 3)
			need(fmt.Sprintf("borders of boxes of band %d", i), b[2], colour["ground"], 3)
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(c string) float64 {
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(c[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			v := float64(n) / 255
			if v <= 0.04045 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			sum += weight * v
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestSecretsStayOut puts secrets wherever values of them stand, and looks for them in all that is put out.
func TestSecretsStayOut(t *testing.T) {
	const mark = "sesame"
	for _, url := range []string{
		"postgres://user:sesame@db.example/x", "postgres://user:se/sesame@db.example/x", "postgres://user:12/sesame@db.example", "postgres://sesame:p@p@db.example/x",
		"mysql://user:p@sesame@db.example", "https://user:p@db.example/?key=sesame", "https://db.example/#sesame", "mongodb://a:sesame@m1.example,m2.example/?x=sesame",
		"sesame", "sesame.sesame", "sesame:1234", "//sesame@x", "redis://:sesame@c.example", "https://sqs.eu-west-1.amazonaws.com/1/q?sesame", "amqps://sesame:sesame@b-1.mq.eu-west-1.amazonaws.com:5671",
		"jdbc:mysql://db.example/x?user=a&password=sesame", "password: sesame\nurl: https://x.example/?t=sesame\n",
	} {
		quoted, err := json.Marshal(url)
		if err != nil {
			t.Fatal(err)
		}
		text := "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: shop}\nstringData: {password: " + string(quoted) + ", DATABASE_URL: " + string(quoted) + "}\n" +
			"---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w, namespace: shop}\nspec: {template: {spec: {containers: [{name: a, envFrom: [{secretRef: {name: s}}], env: [" +
			"{name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: s, key: password}}}, {name: PLAIN_PASSWORD, value: " + string(quoted) + "}, {name: OF, value: $(DB_PASSWORD)}]}], volumes: [{name: v, secret: {secretName: s}}]}}}\n"
		if url == "sesame.sesame" {
			text = strings.ReplaceAll(text, "DATABASE_URL", "DATABASE_KEY") // else it would be a host
		}
		m := dependency.New(dependency.Input{Set: read(t, text)})
		out, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(out, []byte(mark)) || bytes.Contains(dependency.SVG(m, ""), []byte(mark)) {
			t.Errorf("%s passes: %s", url, out)
		}
	}
}

// FuzzAddresses asks for an answer to any value, in bounded time, and for a picture that is XML.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"postgres://a:b@c/d", "arn:aws:s3:::b/x", "a.b.svc.cluster.local:80", "https://sqs.x.amazonaws.com/1/q", "$(X)$(X)", "://", "s3://", "x,y:1,", ".amazonaws.com", "\x00"} {
		f.Add("DB_HOST", s)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		n, err := json.Marshal(name)
		if err != nil {
			t.Skip()
		}
		v, err := json.Marshal(value)
		if err != nil {
			t.Skip()
		}
		set, err := manifest.Read(strings.NewReader(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"a","args":[`+string(v)+`],"env":[{"name":`+string(n)+`,"value":`+string(v)+`}]}]}}`), "-")
		if err != nil {
			t.Skip()
		}
		checked(t, dependency.New(dependency.Input{Set: set}))
	})
}
