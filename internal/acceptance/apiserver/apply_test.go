package apiserver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// object is one object of a cluster.
type object = map[string]any

// kind is how a kind is reached.
type kind struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	Namespaced bool   `json:"namespaced"`
}

// refusal is an answer that is no success.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Details struct {
		Causes []cause `json:"causes"`
	} `json:"details"`
}

type cause struct {
	Reason string `json:"reason"`
	Field  string `json:"field"`
}

// Error says what the server said.
func (r *refusal) Error() string { return fmt.Sprintf("%d: %s", r.Code, r.Message) }

func refused(code int, text []byte) error {
	r := &refusal{}
	if err := json.Unmarshal(text, r); err != nil || r.Message == "" {
		r.Message = strings.TrimSpace(string(text))
	}
	r.Code = code
	return r
}

// unknownKindError is a kind that the server does not serve.
type unknownKindError struct{ apiVersion, kind string }

// Error names it.
func (u *unknownKindError) Error() string {
	return fmt.Sprintf("the server does not serve %s of %s", u.kind, u.apiVersion)
}

// manager is who the fields of what is applied belong to.
const manager = "bascule"

// apply applies an object server-side, taking no field from another manager and no field that the kind does not have, and returns what the server
// keeps; with dry it only says what it would keep.
func (s *server) apply(ctx context.Context, o object, dry bool, as ...string) (object, error) {
	q := url.Values{"fieldManager": {manager}, "force": {"false"}, "fieldValidation": {"Strict"}}
	if dry {
		q.Set("dryRun", "All")
	}
	body, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return s.object(ctx, http.MethodPatch, o, q, "application/apply-patch+yaml", body, as...)
}

// get returns what the server keeps of an object.
func (s *server) get(ctx context.Context, o object) (object, error) {
	return s.object(ctx, http.MethodGet, o, nil, "", nil)
}

// remove removes an object that may be there.
func (s *server) remove(ctx context.Context, o object) error {
	_, err := s.object(ctx, http.MethodDelete, o, url.Values{"gracePeriodSeconds": {"0"}, "propagationPolicy": {"Background"}}, "", nil)
	if r, ok := errors.AsType[*refusal](err); ok && r.Code == http.StatusNotFound {
		return nil
	}
	if _, unknown := errors.AsType[*unknownKindError](err); unknown {
		return nil
	}
	return err
}

func (s *server) object(ctx context.Context, method string, o object, q url.Values, contentType string, body []byte, as ...string) (object, error) {
	path, err := s.path(ctx, o)
	if err != nil {
		return nil, err
	}
	text, err := s.ask(ctx, method, path+"?"+q.Encode(), contentType, body, as...)
	if err != nil {
		return nil, err
	}
	var out object
	return out, json.Unmarshal(text, &out)
}

// path is where an object is: what names no namespace and has to is in default.
func (s *server) path(ctx context.Context, o object) (string, error) {
	k, err := s.kindOf(ctx, o)
	if err != nil {
		return "", err
	}
	path := root(word(o, "apiVersion"))
	if k.Namespaced {
		path += "/namespaces/" + url.PathEscape(cmp.Or(word(o, "metadata", "namespace"), "default"))
	}
	return path + "/" + k.Name + "/" + url.PathEscape(word(o, "metadata", "name")), nil
}

func root(apiVersion string) string {
	if strings.Contains(apiVersion, "/") {
		return "/apis/" + apiVersion
	}
	return "/api/" + apiVersion
}

// kindOf asks the server once for the kinds of a group and version, and again when one is not among them.
func (s *server) kindOf(ctx context.Context, o object) (kind, error) {
	api, name := word(o, "apiVersion"), word(o, "kind")
	if k, ok := s.kinds[api][name]; ok {
		return k, nil
	}
	text, err := s.ask(ctx, http.MethodGet, root(api), "", nil)
	if r, ok := errors.AsType[*refusal](err); ok && r.Code == http.StatusNotFound {
		return kind{}, &unknownKindError{api, name}
	}
	if err != nil {
		return kind{}, err
	}
	var list struct {
		Resources []kind `json:"resources"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return kind{}, err
	}
	s.kinds[api] = map[string]kind{}
	for _, k := range list.Resources {
		if !strings.Contains(k.Name, "/") { // else a part of another
			s.kinds[api][k.Kind] = k
		}
	}
	k, ok := s.kinds[api][name]
	if !ok {
		return kind{}, &unknownKindError{api, name}
	}
	return k, nil
}

// at returns what is at a path of an object.
func at(o object, path ...string) any {
	var v any = o
	for _, p := range path {
		m, _ := v.(object)
		v = m[p]
	}
	return v
}

func word(o object, path ...string) string { s, _ := at(o, path...).(string); return s }

// title names an object for people.
func title(o object) string {
	name := word(o, "metadata", "name")
	if n := word(o, "metadata", "namespace"); n != "" {
		name = n + "/" + name
	}
	return word(o, "kind") + " " + name
}

// key tells one object from another, whatever the version of its group.
func key(o object) string {
	group, _, grouped := strings.Cut(word(o, "apiVersion"), "/")
	if !grouped {
		group = ""
	}
	return strings.Join([]string{group, word(o, "kind"), word(o, "metadata", "namespace"), word(o, "metadata", "name")}, " ")
}

// first are the kinds that others rely on, in their order; the rest comes behind them.
var first = []string{"Namespace", "CustomResourceDefinition", "PriorityClass", "RuntimeClass", "StorageClass", "IngressClass", "ServiceAccount"}

// inOrder sorts objects by what relies on what, and otherwise leaves them in their order.
func inOrder(objects []object) []object {
	rank := func(o object) int {
		if i := slices.Index(first, word(o, "kind")); i >= 0 {
			return i
		}
		return len(first)
	}
	out := slices.Clone(objects)
	slices.SortStableFunc(out, func(a, b object) int { return rank(a) - rank(b) })
	return out
}
