// Package decision owns what people have decided about the workloads of one
// environment and no program can know: projects, regions, identities, what
// becomes of a volume. It reads the file that says so. It never guesses: what
// nobody has decided is empty, and whoever needs it asks.
package decision

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/gateway"
)

// Decisions is one such file. Its zero value decides nothing.
type Decisions struct {
	// Project is the Google Cloud project of the cluster; Number is its number.
	Project string `yaml:"project,omitempty"`
	Number  string `yaml:"project-number,omitempty"`
	// Region is the cluster's region.
	Region string `yaml:"region,omitempty"`
	// Version is the cluster's minor version of Kubernetes, such as 1.34.
	Version string `yaml:"version,omitempty"`
	// Zones gives for a zone of the source one of the target.
	Zones map[string]string `yaml:"zones,omitempty"`
	// Machines gives for an instance type of the source a machine type of the target.
	Machines map[string]string `yaml:"machines,omitempty"`
	// Identities gives for a role of IAM (its ARN, or its name as kube2iam and kiam have it) the Google service account that
	// stands for it, or "direct" where roles are granted to the Kubernetes service account itself, or "aws" where the pods go on using the role.
	Identities map[string]string `yaml:"identities,omitempty"`
	// Volumes says for a claim, NAMESPACE/NAME, what becomes of its bytes: replicate, hook or empty.
	Volumes map[string]string `yaml:"volumes,omitempty"`
	// Keys gives for a key of KMS the key of Cloud KMS that stands for it.
	Keys map[string]string `yaml:"keys,omitempty"`
	// Networks gives for an address range of the source's network one of the target's.
	Networks map[string]string `yaml:"networks,omitempty"`
	// Secrets gives for a name in AWS Secrets Manager or Parameter Store the one in Secret Manager.
	Secrets map[string]string `yaml:"secrets,omitempty"`
	// Store is the ClusterSecretStore from which Secrets of the source, whose values never enter the tree, are to come.
	Store string `yaml:"secret-store,omitempty"`
	// DNSOwner is the txt-owner-id of external-dns on the target: another than on the source.
	DNSOwner string `yaml:"dns-owner,omitempty"`
	// Monitoring says who scrapes and alerts on the target: managed (Managed Prometheus), or prometheus, the one that the source brings along.
	Monitoring string `yaml:"monitoring,omitempty"`
	// Gateway is what is known about the load balancers of Ingresses, by which their routes open.
	Gateway gateway.Facts `yaml:"gateway,omitempty"`
	// Keep are the objects that run in standby, as "Deployment shop/web": they only read, and consume nothing.
	Keep []string `yaml:"keep-in-standby,omitempty"`
	// Plain are values that look like secrets and are none, as "Deployment shop/web LOG_TOKEN".
	Plain []string `yaml:"not-secret,omitempty"`
	// Harmonise is what was decided about the differences between regions. HarmoniseFrom names the file that says so for several
	// environments, relative to this one.
	Harmonise     Harmonise `yaml:"harmonise,omitempty"`
	HarmoniseFrom string    `yaml:"harmonise-from,omitempty"`
	// Releases are the releases of Helm, by NAMESPACE/NAME. Their paths are relative to the file of decisions, and by Read to where the program runs.
	Releases map[string]Release `yaml:"releases,omitempty"`
}

// largest bounds a file: a wrong path must not fill the memory.
const largest = 4 << 20

// Read reads a file of decisions, strictly: a key that is not known is a mistake.
func Read(name string) (*Decisions, error) {
	op := fmt.Sprintf("read %q", name)
	info, err := os.Stat(name)
	if err == nil && info.Size() > largest {
		return nil, fault.New(fault.Usage, op, fmt.Errorf("it has %d bytes, which no file of decisions has", info.Size()), "")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fault.New(fault.Usage, op, cmp.Or(errors.Unwrap(err), err), "name an existing file; docs/cli.md lists its keys")
	}
	d, err := Parse(text)
	if err == nil {
		d.resolve(filepath.Dir(name))
	}
	if err == nil && d.HarmoniseFrom != "" {
		err = d.readShared(filepath.Dir(name))
	}
	return d, fault.New(fault.Usage, op, err, "docs/cli.md lists the keys; facts about load balancers stand below gateway")
}

// readShared reads what several environments share. It follows no further file.
func (d *Decisions) readShared(folder string) error {
	name := d.HarmoniseFrom
	if !filepath.IsAbs(name) {
		name = filepath.Join(folder, name)
	}
	info, err := os.Stat(name)
	if err == nil && info.Size() > largest {
		err = fmt.Errorf("it has %d bytes, which no file of decisions has", info.Size())
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(name)
	}
	var shared *Decisions
	if err == nil {
		shared, err = Parse(text)
	}
	if err != nil {
		return fmt.Errorf("harmonise-from %s: %w", d.HarmoniseFrom, cmp.Or(errors.Unwrap(err), err))
	}
	return d.Harmonise.joinShared(shared.Harmonise)
}

// Parse reads the text of a file of decisions.
func Parse(text []byte) (*Decisions, error) {
	d := &Decisions{}
	if err := yaml.UnmarshalWithOptions(text, d, yaml.Strict()); err != nil {
		if at, ok := errors.AsType[yaml.Error](err); ok && at.GetToken() != nil {
			return nil, fmt.Errorf("line %d: %s", at.GetToken().Position.Line, at.GetMessage())
		}
		return nil, err
	}
	return d, d.check()
}

// What a volume's bytes may come to.
const (
	Replicate = "replicate"
	Hook      = "hook"
	Empty     = "empty"
)

// Who may scrape and alert.
const (
	Managed    = "managed"
	Prometheus = "prometheus"
)

// What an identity may be beside a Google service account.
const (
	Direct = "direct"
	AWS    = "aws"
)

var account = regexp.MustCompile(`^[a-z][-a-z0-9]{4,28}[a-z0-9]@[-a-z0-9.:]+\.iam\.gserviceaccount\.com$`)

func (d *Decisions) check() error {
	var errs []error
	for claim, v := range d.Volumes {
		if !slices.Contains([]string{Replicate, Hook, Empty}, v) {
			errs = append(errs, fmt.Errorf("volumes: %q of %s is none of replicate, hook, empty", v, claim))
		}
	}
	for role, v := range d.Identities {
		if v != Direct && v != AWS && !account.MatchString(v) {
			errs = append(errs, fmt.Errorf("identities: %q of %s is no Google service account, and neither direct nor aws: NAME@PROJECT.iam.gserviceaccount.com, where NAME has 6 to 30 small letters, digits and dashes", v, role))
		}
	}
	if d.Monitoring != "" && d.Monitoring != Managed && d.Monitoring != Prometheus {
		errs = append(errs, fmt.Errorf("monitoring: %q is none of managed, prometheus", d.Monitoring))
	}
	if err := d.Gateway.Check(); err != nil {
		errs = append(errs, fmt.Errorf("gateway: %w", err))
	}
	errs = append(errs, d.checkReleases()...)
	errs = append(errs, d.Harmonise.check()...)
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}
