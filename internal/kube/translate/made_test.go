package translate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
)

// TestMadeByOneName: of whatever kind they are, objects of one name that say the same are made once, and of those that differ one is made and each other is a blocker that
// names both sources; in which order and in which parts they come changes nothing.
func TestMadeByOneName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type drawn struct{ kind, name, of, says string }
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) drawn {
			return drawn{
				rapid.SampledFrom([]string{"ExternalSecret", "ServiceAccount", "NetworkPolicy", "ComputeClass", "Gateway"}).Draw(t, "kind"),
				rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"), rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "of"), rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "says"),
			}
		}), 1, 12).Draw(t, "all")
		come := func(all []drawn, cut int) *Result {
			whole := &Result{}
			for _, part := range [][]drawn{all[:cut], all[cut:]} {
				out := &Result{Verdicts: map[Verdict]int{}}
				for _, d := range part {
					out.addMade(&Made{Value: map[string]any{"apiVersion": "v1", "kind": d.kind, "metadata": map[string]any{"name": d.name}, "spec": map[string]any{"says": d.says}}, Reason: Reason{Rule: &Rule{ID: "a-rule"}}, For: d.of})
				}
				whole.add(out)
			}
			whole.settleMade()
			slices.SortFunc(whole.Made, func(a, b *Made) int { return strings.Compare(a.ID(), b.ID()) })
			slices.SortFunc(whole.Findings, func(a, b finding.Finding) int { return strings.Compare(a.Object+a.What, b.Object+b.What) })
			return whole
		}
		r := come(all, rapid.IntRange(0, len(all)).Draw(t, "cut"))
		again := come(rapid.Permutation(all).Draw(t, "other order"), rapid.IntRange(0, len(all)).Draw(t, "other cut"))
		if diff := cmp.Diff(r, again, cmpopts.IgnoreUnexported(Result{}, Made{}, Rule{})); diff != "" {
			t.Fatalf("the order says something: %s", diff)
		}
		said, first := map[string]map[string]string{}, map[string]string{} // by the object: who says what, and who comes first
		for _, d := range all {
			id := d.kind + " " + d.name
			if said[id] == nil {
				said[id], first[id] = map[string]string{}, d.of
			}
			if was, there := said[id][d.says]; !there || d.of < was {
				said[id][d.says] = d.of
			}
			first[id] = min(first[id], d.of)
		}
		want := 0
		for id, of := range said {
			want += len(of) - 1
			for _, source := range of {
				told := slices.ContainsFunc(r.Findings, func(f finding.Finding) bool {
					return f.Object == id && f.Severity == finding.Blocker && strings.Contains(f.What, "for "+source) && strings.Contains(f.What, "spec.says") && slices.Contains(f.Evidence, first[id])
				})
				if told != (len(of) > 1) {
					t.Fatalf("%s for %s: %v", id, source, r.Findings)
				}
			}
		}
		if len(r.Findings) != want || len(r.Made) != len(said) {
			t.Fatalf("%d objects and %d findings, want %d and %d", len(r.Made), len(r.Findings), len(said), want)
		}
	})
}

// TestAccountsOfOneName: two roles of one name, in two accounts of AWS, are not one service account.
func TestAccountsOfOneName(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: n, annotations: {iam.amazonaws.com/role: \"arn:aws:iam::%s:role/web\"}}\nspec: {containers: [{name: a, image: a}]}\n---\n"
	d, err := decision.Parse([]byte("identities:\n  arn:aws:iam::111122223333:role/web: web-one@shop-preprod.iam.gserviceaccount.com\n  arn:aws:iam::444455556666:role/web: web-two@shop-preprod.iam.gserviceaccount.com\n"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{
		fmt.Sprintf(pod, "a", "111122223333") + fmt.Sprintf(pod, "b", "444455556666"),
		fmt.Sprintf(pod, "b", "444455556666") + fmt.Sprintf(pod, "a", "111122223333"),
	} {
		set, err := manifest.Read(strings.NewReader(in), "-")
		if err != nil {
			t.Fatal(err)
		}
		r := Translate(Input{Environment: "preprod", Set: set, Decisions: d, File: "kube.yaml", Profile: p})
		i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool {
			return f.Object == "ServiceAccount n/web" && f.Severity == finding.Blocker
		})
		if i < 0 || !strings.HasPrefix(r.Findings[i].What, "It is to be made for Pod n/a and for Pod n/b, and the two differ in metadata.annotations.iam.gke.io/gcp-service-account.") {
			t.Errorf("%+v", r.Findings)
			continue
		}
		if e := r.Findings[i].Evidence; len(e) != 2 || !strings.HasPrefix(e[0], "Pod n/a, -:") || !strings.HasPrefix(e[1], "Pod n/b, -:") {
			t.Errorf("evidence: %v", e)
		}
		if len(r.Made) != 1 || text(r.Made[0].Value, "metadata", "annotations", gsaKey) != "web-one@shop-preprod.iam.gserviceaccount.com" {
			t.Errorf("made: %+v", r.Made)
		}
	}
}
