package translate_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/crd"
	"github.com/bascule/bascule/internal/kube/translate"
)

// provider is a class of AWS with some objects, and a pod that mounts it.
func provider(objects, parameters string) string {
	return "apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: c, namespace: n}\nspec: {provider: aws, parameters: {" + parameters + "objects: " + fmt.Sprintf("%q", objects) + "}}\n---\n" +
		"apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: n}\nspec: {containers: [{name: a}], volumes: [{name: v, csi: {driver: secrets-store.csi.k8s.io, volumeAttributes: {secretProviderClass: c}}}]}\n"
}

// TestJMESPaths: a path of names is read by External Secrets as it was by AWS's provider; any other is a blocker, and nothing changes.
func TestJMESPaths(t *testing.T) {
	for path, want := range map[string]string{
		`username`: "username", `a.b.c`: "a.b.c", `"host-name"`: "host-name", `a."b-c".d`: "a.b-c.d", `_x1`: "_x1",
		`a[0]`: "", `"a.b"`: "", `a || b`: "", `*`: "", `length(a)`: "", `a.`: "", `.a`: "", `"a`: "", `"a"b`: "", `a.*`: "", `@`: "", `host-name`: "", `"0"`: "", `"a\u002eb"`: "", `a|b`: "", ``: "",
	} {
		r := translated(t, provider(fmt.Sprintf("- {objectName: s, jmesPath: [{path: %s, objectAlias: f}]}", "'"+path+"'"), ""), "secret-store: google\n", "")
		blocked := slices.ContainsFunc(r.Findings, func(f finding.Finding) bool { return f.Severity == finding.Blocker && f.Code == "secret-csi" })
		live := build(t, r, "live")["live"]
		switch {
		case want == "" && (!blocked || !strings.Contains(live, "provider: aws") || !strings.Contains(live, "secretProviderClass: c")):
			t.Errorf("%s: %s\n%s", path, told(r.Findings), live)
		case want != "" && (blocked || !strings.Contains(live, "property: "+want+"\n") || strings.Contains(live, "secretProviderClass: c")):
			t.Errorf("%s: %s\n%s", path, told(r.Findings), live)
		}
	}
}

// TestSecretFiles: files have the names that the provider of AWS gives them, and what it cannot be is told.
func TestSecretFiles(t *testing.T) {
	for _, test := range []struct{ objects, parameters, want, wrong string }{
		{"- {objectName: prod/db}", "", `path: "prod_db"`, ""},
		{"- {objectName: /prod/db}", "pathTranslation: '-', ", `path: "-prod-db"`, ""},
		{"- {objectName: /prod/db}", "pathTranslation: 'False', ", `path: "prod/db"`, ""},
		{"- {objectName: prod/db, objectAlias: db}", "", `path: "db"`, ""},
		{"- {objectName: 'arn:aws:ssm:eu-west-1:1:parameter/prod/db', objectAlias: db}", "", "secrets/prod-db/versions", ""},
		{"- {objectName: 'arn:aws:secretsmanager:eu-west-1:1:secret:db-XyZ012', objectAlias: db}", "", "secrets/db/versions", ""},
		{"- {objectName: db, objectVersionLabel: AWSCURRENT}", "", "secrets/db/versions", ""},
		{"- {objectName: db, objectVersionLabel: AWSPREVIOUS}", "", "", "the version AWSPREVIOUS of db"},
		{"- {objectName: db, objectVersion: '7'}", "", "", "the version 7 of db"},
		{"- {objectName: a/b}\n- {objectName: a_b}", "", "", "Two of its files are called a_b"},
		{"- {objectName: a, jmesPath: [{path: x}]}", "", "", "has no name"},
		{"- {objectName: a, objectTemplate: x}", "", "", "Nobody here knows objectTemplate"},
		{"nothing", "", "", "cannot be read"},
	} {
		r := translated(t, provider(test.objects, test.parameters), "project: shop\nsecret-store: google\n", "")
		live, said := build(t, r, "live")["live"], told(r.Findings)
		if test.want != "" && !strings.Contains(live, test.want) || test.wrong != "" && !strings.Contains(said, test.wrong) || (test.wrong == "") != strings.Contains(live, "provider: gcp") {
			t.Errorf("%s:\n%s\n%s", test.objects, said, live)
		}
	}
	twice := strings.Replace(provider("- {objectName: s, jmesPath: [{path: a, objectAlias: f}]}", ""), "provider: aws,", "provider: aws, secretObjects: [{secretName: x, data: [{objectName: f, key: k}]}],", 1)
	twice += "---\n" + strings.ReplaceAll(strings.ReplaceAll(twice, "name: c,", "name: d,"), "name: p,", "name: q,")
	if said := told(translated(t, twice, "secret-store: google\n", "").Findings); strings.Count(said, "fills the Secret x, and so does something else") != 1 || !strings.Contains(said, "SecretProviderClass n/d") {
		t.Error(said)
	}
	for _, decisions := range []string{"", "project: shop\n"} {
		r := translated(t, provider("- {objectName: s, jmesPath: [{path: a, objectAlias: f}]}", ""), decisions, "")
		if !strings.Contains(told(r.Findings), "secret-store: NAME") || !strings.Contains(build(t, r, "live")["live"], "secretProviderClass: c") {
			t.Error("nobody asks for the store, or the pod changes without it: " + told(r.Findings))
		}
	}
}

// TestExternalFilesAreValid holds what is written to the definition of External Secrets.
func TestExternalFilesAreValid(t *testing.T) {
	const given = "../../../../shared/crds/external-secrets"
	if _, err := os.Stat(given); err != nil {
		t.Skip("the real definitions are not here: ", err)
	}
	set, err := crd.Load(given)
	if err != nil {
		t.Fatal(err)
	}
	in := strings.Replace(provider("- {objectName: s, jmesPath: [{path: a, objectAlias: f}]}", ""), "provider: aws,", "provider: aws, secretObjects: [{secretName: c, type: kubernetes.io/tls, labels: {a: b}, annotations: {c: d}, data: [{objectName: f, key: tls.key}, {objectName: gone, key: x}]}],", 1)
	r := translated(t, in, "secret-store: google\n", "")
	if len(r.Made) != 2 || !strings.Contains(told(r.Findings), "comes from gone") {
		t.Fatal(len(r.Made), told(r.Findings))
	}
	for _, m := range r.Made {
		v, err := set.Check(t.Context(), "", m.Value)
		if err != nil || !v.Checked {
			t.Fatal(err, m.Value)
		}
		for _, p := range v.Problems {
			t.Error(p)
		}
	}
	if name := translate.Text(r.Made[1].Value, "metadata", "name"); name != "c-files" {
		t.Error(name)
	}
}
