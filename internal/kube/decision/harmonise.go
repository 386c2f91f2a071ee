package decision

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// Harmonise is what was decided about the differences between regions: environments that hold the same application. One file serves all of them.
type Harmonise struct {
	// Words gives for a region the words that mean it in names: with eu for one and na for another, orders-eu and orders-na are one object.
	Words map[string][]string `yaml:"words,omitempty"`
	// Same are objects that are one although no word says so: for each region what it calls it, as "Deployment shop/orders".
	Same []map[string]string `yaml:"same,omitempty"`
	// Differences are what was decided about values.
	Differences []Difference `yaml:"differences,omitempty"`
}

// Difference is what was decided about one path in one object or several. It has one answer, or none: then it is open.
type Difference struct {
	// Path is where the values stand, as manifest.ParsePath reads it; without it, it is about the objects themselves, which are not in all regions.
	Path string `yaml:"path,omitempty"`
	// Objects are what the regions call them, as "Deployment shop/web".
	Objects []string `yaml:"objects"`
	// Value is what all regions are to have.
	Value any `yaml:"value,omitempty"`
	// Tag is what the image's tag is to be everywhere; each region keeps its registry.
	Tag string `yaml:"tag,omitempty"`
	// Remove says that no region is to have it.
	Remove bool `yaml:"remove,omitempty"`
	// Keep says why the regions are to stay different.
	Keep string `yaml:"keep,omitempty"`
	// Reason says why the answer is what it is.
	Reason string `yaml:"reason,omitempty"`
}

// Open says whether nobody has answered.
func (d *Difference) Open() bool {
	return d.Value == nil && d.Tag == "" && !d.Remove && d.Keep == ""
}

func (d *Difference) answers() int {
	n := 0
	for _, is := range []bool{d.Value != nil, d.Tag != "", d.Remove, d.Keep != ""} {
		if is {
			n++
		}
	}
	return n
}

func (h *Harmonise) check() []error {
	var errs []error
	answered := map[[2]string]bool{}
	for i := range h.Differences {
		d := &h.Differences[i]
		where := fmt.Sprintf("harmonise: difference %d (%s)", i+1, cmp.Or(d.Path, "no path"))
		d.Value = plain(d.Value)
		if _, err := manifest.ParsePath(d.Path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", where, err))
		}
		switch {
		case len(d.Objects) == 0:
			errs = append(errs, fmt.Errorf("%s: it names no objects", where))
		case d.answers() > 1:
			errs = append(errs, fmt.Errorf("%s: it has several of value, tag, remove and keep", where))
		case d.Path == "" && d.answers() > 0 && d.Keep == "":
			errs = append(errs, fmt.Errorf("%s: without a path it is about whole objects, which only keep can answer", where))
		case d.Open():
			continue
		}
		for _, o := range d.Objects {
			k := [2]string{d.Path, o}
			if answered[k] {
				errs = append(errs, fmt.Errorf("%s: %s has two answers", where, o))
			}
			answered[k] = true
		}
	}
	for i, same := range h.Same {
		if len(same) < 2 {
			errs = append(errs, fmt.Errorf("harmonise: same %d names one region only", i+1))
		}
	}
	return errs
}

// plain turns numbers into those that manifests have, int64 and float64, so that values can be compared.
func plain(v any) any {
	switch x := v.(type) {
	case uint64:
		if x <= 1<<63-1 {
			return int64(x)
		}
		return float64(x)
	case int:
		return int64(x)
	case map[string]any:
		for k := range x {
			x[k] = plain(x[k])
		}
	case []any:
		for i := range x {
			x[i] = plain(x[i])
		}
	}
	return v
}

// About finds what was decided about an object's path: the answer, or the open question, or nothing.
func (h *Harmonise) About(path, object string) *Difference {
	var open *Difference
	for i := range h.Differences {
		d := &h.Differences[i]
		if d.Path != path || !slices.Contains(d.Objects, object) {
			continue
		}
		if !d.Open() {
			return d
		}
		open = d
	}
	return open
}

// joinShared adds what a file that several environments share has decided.
func (h *Harmonise) joinShared(shared Harmonise) error {
	if len(h.Words)+len(h.Same)+len(h.Differences) > 0 {
		return errors.New("it has harmonise and harmonise-from: one of them is enough")
	}
	*h = shared
	return nil
}
