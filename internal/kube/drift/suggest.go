package drift

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// suggest looks for a value that all regions might have, with the reason; or says why there is none.
func (c *comparison) suggest(kind string, f found) (*Suggestion, string) {
	switch {
	case some(f.cells, func(x Cell) bool { return x.Hidden }):
		return nil, "a part of it looks like a secret, so nothing of it is said"
	case f.divided:
		return nil, "the regions that have it do not agree on it"
	case key(f.path) == "apiVersion":
		return nil, "the translation brings old APIs to those that the target has"
	}
	if tags := c.imageTags(f); tags != nil {
		return newest(tags)
	}
	if key(f.path) == "image" && some(f.cells, func(x Cell) bool { return strings.Contains(manifest.Scalar(x.Value), "@") }) {
		return nil, "images by digest have no order"
	}
	if s := stricter(kind, f); s != nil {
		return s, ""
	}
	if isResource(f.path) {
		return largest(f)
	}
	return c.majority(f)
}

// majority suggests what more than half of the regions have.
func (c *comparison) majority(f found) (*Suggestion, string) {
	count, first, total := map[string]int{}, map[string]int{}, 0
	best := ""
	for i, x := range f.cells {
		if x.Outside {
			continue
		}
		total++
		k := "absent"
		if !x.Absent {
			k = "=" + canonical(x.Value)
		}
		if count[k] == 0 {
			first[k] = i
		}
		count[k]++
		if best == "" || count[k] > count[best] {
			best = k
		}
	}
	if 2*count[best] <= total {
		return nil, "no value has a majority"
	}
	reason := fmt.Sprintf("majority, %d of %d", count[best], total)
	i := first[best]
	switch x := f.cells[i]; {
	case x.Absent && len(f.path) < 2:
		return nil, "an object cannot be without it"
	case x.Absent:
		return &Suggestion{Remove: true, Reason: reason}, ""
	case x.Value == nil:
		return nil, "the majority has it empty"
	case c.names[i].namesRegion(x.Value):
		return nil, "the majority's value names its own region"
	default:
		return &Suggestion{Value: x.Value, Reason: reason}, ""
	}
}

// strict are switches of a pod's security, and where they are stricter. One that is not there is at its default, which is the laxer.
var strict = map[string]bool{
	"runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false, "privileged": false,
	"hostNetwork": false, "hostPID": false, "hostIPC": false, "automountServiceAccountToken": false,
}

// stricter suggests the stricter of two limits, where it is plain which that is.
func stricter(kind string, f found) *Suggestion {
	last := key(f.path)
	if on, is := strict[last]; is && !f.path[len(f.path)-1].Listed() {
		if some(f.cells, func(x Cell) bool { b, isBool := x.Value.(bool); return isBool && b == on }) {
			return &Suggestion{Value: on, Reason: "the stricter"}
		}
		return nil
	}
	if kind != "PodDisruptionBudget" || last != "minAvailable" && last != "maxUnavailable" {
		return nil
	}
	var numbers []int64
	for _, x := range f.cells {
		n, is := x.Value.(int64)
		if !is && !x.Outside {
			return nil
		}
		if is {
			numbers = append(numbers, n)
		}
	}
	if last == "minAvailable" {
		return &Suggestion{Value: slices.Max(numbers), Reason: "the stricter"}
	}
	return &Suggestion{Value: slices.Min(numbers), Reason: "the stricter"}
}

// largest suggests the largest amount of a resource: with less, some region would get less than it runs with today.
func largest(f found) (*Suggestion, string) {
	var best *resource.Quantity
	var value any
	for _, x := range f.cells {
		if x.Outside {
			continue
		}
		if x.Absent {
			return nil, "a region has no bound here, and what it really takes is not known"
		}
		q, err := resource.ParseQuantity(manifest.Scalar(x.Value))
		if err != nil {
			return nil, "it is no amount"
		}
		if best == nil || q.Cmp(*best) > 0 {
			best, value = &q, x.Value
		}
	}
	return &Suggestion{Value: value, Reason: "the largest: no region gets less than it has"}, ""
}

// imageTags are the tags of images that differ in nothing else, besides their region's own registry; nothing for all others. A region that has no part in
// it has an empty one.
func (c *comparison) imageTags(f found) []string {
	if key(f.path) != "image" {
		return nil
	}
	repository := ""
	tags := make([]string, len(f.cells))
	for i, x := range f.cells {
		if x.Outside {
			continue
		}
		image, _ := x.Value.(string)
		r, tag := splitImage(image)
		if tag == "" || strings.Contains(image, "@") {
			return nil
		}
		r = c.names[i].neutral(r, map[string]bool{})
		if repository != "" && r != repository {
			return nil
		}
		repository, tags[i] = r, tag
	}
	return tags
}

// newest suggests the newest of tags; or says that they have no order.
func newest(tags []string) (s *Suggestion, why string) {
	order := slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return t == "" })
	for _, t := range order {
		if version(t) == nil || len(version(t)) != len(version(order[0])) {
			return nil, "these tags have no order that is certain"
		}
	}
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Or(slices.Compare(version(a), version(b)), cmp.Compare(a, b)) })
	order = slices.Compact(order)
	last := len(order) - 1
	if last > 0 && slices.Equal(version(order[last]), version(order[last-1])) {
		return nil, "these tags have no order that is certain"
	}
	return &Suggestion{Tag: order[last], Reason: "the newest of " + strings.Join(order, ", ")}, ""
}

func splitImage(image string) (repository, tag string) {
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[:i], image[i+1:]
	}
	return image, ""
}

var ordered = regexp.MustCompile(`^v?(\d{1,9}(?:[.-]\d{1,9})*)$`)

// version reads a tag that consists of numbers, as 1.4.2, v3 or 2026-11-02. It is nil for all others: of main, a1b2c3 and 1.4-rc.1 nobody knows the order.
func version(tag string) []int {
	m := ordered.FindStringSubmatch(tag)
	if m == nil {
		return nil
	}
	var out []int
	for _, part := range strings.FieldsFunc(m[1], func(r rune) bool { return r == '.' || r == '-' }) {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil
		}
		out = append(out, n)
	}
	return out
}
