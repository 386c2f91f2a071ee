package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/gateway"
)

func (a *app) kubeGateway() *cobra.Command {
	var t source
	var facts string
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Translate ALB Ingresses and load balancers of Services to GKE",
		Long: `Reads manifests and says what becomes of the Ingresses that the AWS Load Balancer Controller
serves, and of Services of type LoadBalancer: Gateways, routes and policies of GKE, patches, the
resources in Google Cloud that they rely on, and findings, of which every annotation has one.
Objects and patches are printed as YAML, the rest as comments before them. It writes no file. It ends
with 4 when a finding is a blocker.

` + exitCodesShort(ExitRefused, ExitConnect, ExitUnsupported, ExitData),
		Example: "  bascule kube gateway --from manifests/ --facts gateway.yaml\n  bascule kube gateway --env preprod",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.gateway(cmd, &t, facts) },
	}
	a.sourceFlags(cmd, &t, "the `NAME` of the environment of bascule.yaml that is read where neither --from nor --release names manifests")
	cmd.Flags().StringVar(&facts, "facts", "", "a YAML file with what the manifests cannot tell")
	return cmd
}

func (a *app) gateway(cmd *cobra.Command, t *source, factsFile string) error {
	facts := &gateway.Facts{}
	if factsFile != "" {
		text, err := os.ReadFile(factsFile)
		if err == nil {
			facts, err = gateway.ParseFacts(text)
		}
		if err != nil {
			return fault.New(fault.Usage, fmt.Sprintf("read %q", factsFile), cmp.Or(errors.Unwrap(err), err), "docs/design/gateway.md lists the facts")
		}
	}
	set, err := a.sourced(cmd, t)
	if err != nil {
		return err
	}
	doc, err := newGatewayDoc(gateway.Translate(set.Objects, facts), gateway.Balancers(set.Objects, facts))
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(doc)
	} else {
		_, err = fmt.Fprint(a.out, doc.text())
	}
	if err == nil && doc.Blockers > 0 {
		err = fault.New(fault.Refused, "translate to GKE", fmt.Errorf("%s", plural(int64(doc.Blockers), "blocker")), "decide each as its finding says; the rest of the translation stands")
	}
	return err
}

// gatewayDoc is what a translation comes to.
type gatewayDoc struct {
	Command  string            `json:"command"`
	Objects  []gatewayObject   `json:"objects"`
	Patches  []gatewayObject   `json:"patches"`
	Replaced []string          `json:"replaced"`
	Needs    []gateway.Need    `json:"needs"`
	Findings []gateway.Finding `json:"findings"`
	Blockers int               `json:"blockers"`
}

type gatewayObject struct {
	Kind      string   `json:"kind"`
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	From      []string `json:"from,omitempty"`
	Why       string   `json:"why,omitempty"`
	YAML      string   `json:"yaml"`
}

func newGatewayDoc(results ...*gateway.Result) (*gatewayDoc, error) {
	d := &gatewayDoc{Command: "kube gateway", Objects: []gatewayObject{}, Patches: []gatewayObject{}, Replaced: []string{}, Needs: []gateway.Need{}, Findings: []gateway.Finding{}}
	for _, r := range results {
		for i := range r.Objects {
			o := &r.Objects[i]
			text, err := o.Text()
			if err != nil {
				return nil, err
			}
			d.Objects = append(d.Objects, gatewayObject{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, From: o.From, YAML: string(text)})
		}
		for i := range r.Patches {
			p := &r.Patches[i]
			text, err := p.Text()
			if err != nil {
				return nil, err
			}
			d.Patches = append(d.Patches, gatewayObject{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name, Why: p.Why, YAML: string(text)})
		}
		for _, o := range r.Replaced {
			d.Replaced = append(d.Replaced, o.String())
		}
		d.Needs = append(d.Needs, r.Needs...)
		for i := range r.Findings {
			if r.Findings[i].Verdict == gateway.None {
				d.Blockers++
			}
		}
		d.Findings = append(d.Findings, r.Findings...)
	}
	return d, nil
}

// text is YAML throughout: what is no object stands in comments.
func (d *gatewayDoc) text() string {
	p := &printer{}
	for i := range d.Findings {
		f := &d.Findings[i]
		p.line("# %s %s  [%s] %s", f.Verdict, clean(strings.TrimSpace(f.Object+" "+f.Annotation)), f.Code, clean(f.Where))
		p.comment(f.What)
		for _, e := range f.Evidence {
			p.comment("evidence: " + e)
		}
		if f.Do != "" {
			p.comment("do: " + f.Do)
		}
	}
	for _, n := range d.Needs {
		p.line("# needs %s %s (%s)", n.Kind, clean(n.Name), n.Scope)
		p.comment(strings.Join(append([]string{"for " + strings.Join(n.For, ", ")}, n.Detail...), "; "))
	}
	for _, o := range d.Replaced {
		p.line("# replaced: %s", clean(o))
	}
	for _, o := range d.Objects {
		p.line("---\n# for %s\n%s", clean(strings.Join(o.From, ", ")), strings.TrimSuffix(o.YAML, "\n"))
	}
	for _, o := range d.Patches {
		p.line("---\n# patch: %s\n%s", clean(o.Why), strings.TrimSuffix(o.YAML, "\n"))
	}
	return p.String()
}

// comment writes a sentence as comments.
func (p *printer) comment(text string) {
	for i, l := range wrap(clean(oneLine(text)), planWidth-8) {
		if i > 0 {
			l = "  " + l
		}
		p.line("#     %s", l)
	}
}
