package translate

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/fault"
)

// Images says for an image where its copy is, whose digest somebody has verified.
type Images map[string]string

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ReadImages reads a file of verified copies, one a line: the source as manifests name it, the destination without tag, and the
// digest that both were seen to have. Empty lines and those that begin with # are comments.
func ReadImages(name string) (Images, error) {
	op := fmt.Sprintf("read %q", name)
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fault.New(fault.Usage, op, err, "name a file of lines: SOURCE DESTINATION sha256:DIGEST")
	}
	out, err := ParseImages(text)
	return out, fault.New(fault.Usage, op, err, "a line is: SOURCE DESTINATION sha256:DIGEST")
}

// ParseImages reads the text of such a file.
func ParseImages(text []byte) (Images, error) {
	out := Images{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) != 3 || !digest.MatchString(f[2]) {
			return nil, fmt.Errorf("line %d is not: SOURCE DESTINATION sha256:DIGEST", n)
		}
		if _, d, ok := strings.Cut(f[0], "@"); ok && d != f[2] {
			return nil, fmt.Errorf("line %d: the source has the digest %s, and the copy %s", n, d, f[2])
		}
		to := f[1] + "@" + f[2]
		if was, twice := out[f[0]]; twice && was != to {
			return nil, fmt.Errorf("line %d: %s has two copies", n, f[0])
		}
		out[f[0]] = to
	}
	return out, lines.Err()
}

var registry = regexp.MustCompile(`\b\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[^\s"',]+|\bpublic\.ecr\.aws/[^\s"',]+`)

// images are the rows about images.
func images() []Rule {
	return []Rule{
		{ID: "image-registry", Source: "images in ECR", Target: "the verified copy that --images names, by digest", Verdict: Resource, Apply: image},
		{ID: "image-field", Source: "images in ECR outside of containers: custom resources, arguments, ConfigMaps", Target: "people change it", Verdict: Resource, Apply: imageField},
		{ID: "image-pull-secret", Source: "imagePullSecrets for ECR", Target: "dropped: nodes pull by their identity", Verdict: Mechanical, Apply: pullSecret},
	}
}

func image(w *work) {
	w.containers(func(path []string, c map[string]any) {
		name, _ := c["image"].(string)
		if !strings.Contains(name, ".dkr.ecr") || !registry.MatchString(name) {
			return
		}
		at := join(path, "image")
		to, ok := w.in.Images[name]
		if !ok {
			w.at(at...).say("question", "blocker", "The image "+name+" is in ECR, and no copy of it was verified.",
				"copy it and verify the digest on both sides, then add a line to the file that --images names:\n"+name+" LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE sha256:DIGEST", "operator")
			return
		}
		w.set("the copy has the same digest", to, at...)
	})
}

func imageField(w *work) {
	if w.Kind == "CustomResourceDefinition" {
		return
	}
	walk(w.now, nil, func(path []string, v any) bool {
		s, ok := v.(string)
		if !ok || path[len(path)-1] == "image" && strings.Contains(strings.Join(path, "/"), "ontainers/") || path[0] == "metadata" {
			return true
		}
		if m := registry.FindString(s); strings.Contains(m, ".dkr.ecr") {
			w.at(join(path)...).needs("/"+strings.Join(path, "/")+" names an image in ECR, where no rule knows what reads it: "+m, "change it in overrides/ to the copy's name, or let whoever reads it take the name from a container")
		}
		return true
	})
}

func pullSecret(w *work) {
	take := func(path []string) {
		list := w.list(path...)
		for i, ref := range slices.Backward(list) {
			name := text(ref, "name")
			if strings.Contains(strings.ToLower(name), "ecr") || strings.Contains(strings.ToLower(name), "aws-registry") {
				w.remove("nodes pull from Artifact Registry by their identity", join(path, fmt.Sprint(i))...)
			}
		}
	}
	for _, spec := range w.pods() {
		take(join(spec, "imagePullSecrets"))
	}
	if w.Kind == "ServiceAccount" {
		take([]string{"imagePullSecrets"})
	}
}
