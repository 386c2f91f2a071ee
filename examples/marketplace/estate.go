package marketplace

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

//go:embed environments.yaml bascule.yaml services templates platform by-hand
var files embed.FS

// Environment is where a copy of the marketplace runs.
type Environment struct {
	Name string `json:"name"`
	// Flavour is eks or kops, Region that of AWS, and Short its name within the addresses of caches.
	Flavour     string   `json:"flavour"`
	Region      string   `json:"region"`
	Short       string   `json:"short"`
	Account     string   `json:"account"`
	Cluster     string   `json:"cluster"`
	Domain      string   `json:"domain"`
	Network     string   `json:"network"`
	Zones       []string `json:"zones"`
	Certificate string   `json:"certificate"`
	RDS         string   `json:"rds"`
}

// EKS says whether AWS runs the cluster.
func (e *Environment) EKS() bool { return e.Flavour == "eks" }

// Registry is where its images are.
func (e *Environment) Registry() string {
	return e.Account + ".dkr.ecr." + e.Region + ".amazonaws.com"
}

// Environments returns all, preprod first.
func Environments() ([]Environment, error) {
	text, err := files.ReadFile("environments.yaml")
	if err != nil {
		return nil, err
	}
	var all []Environment
	return all, yaml.UnmarshalStrict(text, &all)
}

// Platform returns the bascule.yaml of all environments, for a folder that holds each environment's manifests in a folder of its name, and beside these
// NAME.yaml and NAME.images.
func Platform() ([]byte, error) { return files.ReadFile("bascule.yaml") }

// Manifests returns the files of one environment, by their path with slashes: PART/NAME.yaml.
func Manifests(environment string) (map[string][]byte, error) {
	env, err := named(environment)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, step := range []func(*Environment, map[string][]byte) error{services, platform, byHand} {
		if err := step(env, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Decisions returns what its people have decided, for --config.
func Decisions(environment string) ([]byte, error) {
	env, err := named(environment)
	if err != nil {
		return nil, err
	}
	form, err := parse("templates/decisions.yaml")
	if err != nil {
		return nil, err
	}
	return filled(form, env)
}

var (
	imagePattern = regexp.MustCompile(`(\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[a-z0-9/-]+:[A-Za-z0-9._-]+)`)
	rolePattern  = regexp.MustCompile(`amazonaws\.com/role(?:-arn)?: "?([A-Za-z0-9:/-]+)`)
)

// Images returns the list of verified copies of all images that the manifests name, for --images. Their digests are made up: nothing was copied.
func Images(manifests map[string][]byte) []byte {
	var b bytes.Buffer
	for _, from := range found(imagePattern, manifests) {
		_, tagged, _ := strings.Cut(from, "/")
		name, _, _ := strings.Cut(tagged, ":")
		fmt.Fprintf(&b, "%s europe-docker.pkg.dev/refurb-images/market/%s sha256:%x\n", from, name, sha256.Sum256([]byte(tagged)))
	}
	return b.Bytes()
}

// found is what a pattern's group finds, once and in order.
func found(pattern *regexp.Regexp, manifests map[string][]byte) []string {
	all := map[string]bool{}
	for _, text := range manifests {
		for _, m := range pattern.FindAllSubmatch(text, -1) {
			all[string(m[1])] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func named(environment string) (*Environment, error) {
	all, err := Environments()
	if err != nil {
		return nil, err
	}
	var known []string
	for i := range all {
		if all[i].Name == environment {
			return &all[i], nil
		}
		known = append(known, all[i].Name)
	}
	return nil, fmt.Errorf("there is no environment %q, but %s", environment, strings.Join(known, ", "))
}

// services adds a file for each service.
func services(env *Environment, out map[string][]byte) error {
	names, err := fs.Glob(files, "services/*.yaml")
	if err != nil {
		return err
	}
	form, err := parse("templates/service.yaml")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		var all []Service
		if err := yaml.UnmarshalStrict(text, &all); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		team := strings.TrimSuffix(path.Base(name), ".yaml")
		for i := range all {
			s, err := all[i].in(env, team)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", name, all[i].Name, err)
			}
			if s.Absent {
				continue
			}
			if out[team+"/"+s.Name+".yaml"], err = filled(form, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// in is the service as an environment has it.
func (s *Service) in(env *Environment, team string) (*Service, error) {
	here := *s
	s = &here
	s.Environment, s.Namespace = env, team
	if drift, ok := s.Drift[env.Name]; ok {
		if err := json.Unmarshal(drift, s); err != nil {
			return nil, err
		}
	}
	if env.Name == "preprod" { // the same, small
		s.Replicas = min(s.Replicas, 1)
		if s.Scale != nil {
			s.Scale = &Scale{Min: 1, Max: 3, CPU: s.Scale.CPU}
		}
	}
	return s, s.values()
}

// platform adds what the environment's platform team runs: one file for each part, of the flavour or of both.
func platform(env *Environment, out map[string][]byte) error {
	return each("platform", func(name string) error {
		flavour := path.Base(path.Dir(name))
		if flavour != "both" && flavour != env.Flavour {
			return nil
		}
		form, err := parse(name)
		if err != nil {
			return err
		}
		out["platform/"+path.Base(name)], err = filled(form, env)
		return err
	})
}

// byHand adds what somebody has made in the cluster and nobody has written down, as kubectl prints it.
func byHand(env *Environment, out map[string][]byte) error {
	return each("by-hand/"+env.Name, func(name string) error {
		text, err := files.ReadFile(name)
		out["by-hand/"+path.Base(name)] = text
		return err
	})
}

func each(folder string, visit func(name string) error) error {
	if _, err := fs.Stat(files, folder); err != nil {
		return nil //nolint:nilerr // an environment without anything by hand
	}
	return fs.WalkDir(files, folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return visit(name)
	})
}

// parse reads a template. Its marks are << and >>, for {{ belongs to the templates of alerts.
func parse(name string) (*template.Template, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return template.New(path.Base(name)).Delims("<<", ">>").Option("missingkey=error").Funcs(functions()).Parse(string(text))
}

func filled(form *template.Template, data any) ([]byte, error) {
	var b bytes.Buffer
	err := form.Execute(&b, data)
	return b.Bytes(), err
}
