// Package cluster owns what is read from a Kubernetes cluster: its objects, as
// manifests that somebody could have written. It reads only: it never creates,
// changes or deletes anything, and the values of Secrets never leave it.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/manifest"
)

const (
	// page is how many objects are asked for at once.
	page = 500
	// requests is how many lists are asked for at the same time, and rate how many requests a second a cluster in use is troubled with.
	requests, rate = 4, 50
	// patience bounds one request.
	patience = time.Minute
)

// A Cluster is a connection to one.
type Cluster struct {
	name string
	disc discovery.DiscoveryInterface
	dyn  dynamic.Interface
}

// Open finds a context of the files that KUBECONFIG names (~/.kube/config without it); an empty one is the current context. It connects to nothing yet.
func Open(contextName string) (*Cluster, error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{CurrentContext: contextName})
	cfg, err := loader.ClientConfig()
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Sprintf("find the context %q", contextName), err, "kubectl config get-contexts lists them; KUBECONFIG names the file that has them")
	}
	return open(cfg, cmp.Or(contextName, "current"))
}

func open(cfg *rest.Config, name string) (*Cluster, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS, cfg.Burst, cfg.Timeout, cfg.UserAgent = rate, 2*rate, patience, "bascule"
	cfg.WarningHandler = rest.NoWarnings{} // of APIs that are deprecated: rules tell what becomes of them
	disc, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return nil, fault.New(fault.Usage, "read the context "+name, err, "")
	}
	dyn, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fault.New(fault.Usage, "read the context "+name, err, "")
	}
	return &Cluster{name: name, disc: disc, dyn: dyn}, nil
}

// Objects reads all objects that somebody has applied, as far as the account may list them: without what controllers make of others, what the cluster makes
// itself, and what only this cluster knows of an object. What cannot be listed is aside.
func (c *Cluster) Objects(ctx context.Context) (*manifest.Set, error) {
	op := "read the cluster of context " + c.name
	lists, err := c.disc.ServerPreferredResources()
	var aside []manifest.Aside
	if failed, ok := errors.AsType[*discovery.ErrGroupDiscoveryFailed](err); ok {
		for gv, err := range failed.Groups {
			aside = append(aside, manifest.Aside{Where: gv.String(), What: "the cluster does not say what it has of this API: " + err.Error()})
		}
	} else if err != nil {
		return nil, unreachable(op, err)
	}
	kinds := listed(lists)
	texts, refused := make([][]manifest.Text, len(kinds)), make([]string, len(kinds))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for i, k := range kinds {
		g.Go(func() (err error) {
			texts[i], err = c.list(ctx, k)
			if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
				refused[i], err = err.Error(), nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, unreachable(op, err)
	}
	for i, why := range refused {
		if why != "" {
			aside = append(aside, manifest.Aside{Where: kinds[i].Resource + "." + kinds[i].Group, What: "the cluster does not list them: " + why})
		}
	}
	all := slices.Concat(texts...)
	slices.SortFunc(all, func(a, b manifest.Text) int { return cmp.Compare(a.Name, b.Name) })
	set, err := manifest.ReadTexts(all)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(aside, func(a, b manifest.Aside) int { return cmp.Compare(a.Where, b.Where) })
	set.Aside = append(set.Aside, aside...)
	return set, nil
}

func unreachable(op string, err error) error {
	if apierrors.IsUnauthorized(err) {
		return fault.New(fault.Login, op, err, "log in to the cluster again")
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s: %w", patience, err)
	}
	return fault.New(fault.Connect, op, err, "check that kubectl get namespaces works with the same context from here")
}

// listed are the resources of which objects are worth reading.
func listed(lists []*metav1.APIResourceList) []schema.GroupVersionResource {
	var out []schema.GroupVersionResource
	for _, l := range lists {
		gv, err := schema.ParseGroupVersion(l.GroupVersion)
		if err != nil {
			continue // the server's own text: it says nothing else about it
		}
		for _, r := range l.APIResources {
			if strings.Contains(r.Name, "/") || !slices.Contains(r.Verbs, "list") || !slices.Contains(r.Verbs, "create") || passing(gv.Group, r.Kind) {
				continue
			}
			out = append(out, gv.WithResource(r.Name))
		}
	}
	slices.SortFunc(out, func(a, b schema.GroupVersionResource) int { return cmp.Compare(a.String(), b.String()) })
	return out
}

// list reads all objects of a kind, in every namespace.
func (c *Cluster) list(ctx context.Context, r schema.GroupVersionResource) ([]manifest.Text, error) {
	var out []manifest.Text
	for next := ""; ; {
		l, err := c.dyn.Resource(r).List(ctx, metav1.ListOptions{Limit: page, Continue: next})
		if err != nil {
			return nil, err
		}
		for i := range l.Items {
			o := &l.Items[i]
			if made(o) {
				continue
			}
			t, err := text(o)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
		}
		if next = l.GetContinue(); next == "" {
			return out, nil
		}
	}
}

// text writes an object as somebody could have.
func text(o *unstructured.Unstructured) (manifest.Text, error) {
	clean(o)
	b, err := yaml.Marshal(o.Object)
	name := fmt.Sprintf("%s/%s.%s/%s", cmp.Or(o.GetNamespace(), "-"), o.GetKind(), o.GroupVersionKind().Group, o.GetName())
	return manifest.Text{Name: name, Text: b}, err
}
