package decision_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/decision"
)

func TestDecisionsAreReadStrictly(t *testing.T) {
	tests := map[string]struct{ text, wrong string }{
		"all":         {"project: shop\nidentities: {a: direct, b: aws, c: orders@shop.iam.gserviceaccount.com}\nvolumes: {shop/db: empty}\n", ""},
		"nothing":     {"", ""},
		"unknown key": {"project: shop\nregoin: x\n", "line 2: unknown field \"regoin\""},
		"volume":      {"volumes: {shop/db: later}", "volumes: \"later\" of shop/db is none of replicate, hook, empty"},
		"monitoring":  {"monitoring: google", "monitoring: \"google\" is none of managed, prometheus"},
		"identity":    {"identities: {r: orders}", "identities: \"orders\" of r is no Google service account, and neither direct nor aws: NAME@PROJECT.iam.gserviceaccount.com, where NAME has 6 to 30 small letters, digits and dashes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "kube.yaml")
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := decision.Read(file)
			if test.wrong == "" && err != nil || test.wrong != "" && (fault.ClassOf(err) != fault.Usage || !strings.HasSuffix(err.Error(), test.wrong)) {
				t.Errorf("got %v", err)
			}
		})
	}
	d, err := decision.Parse([]byte("zones: {eu-west-1a: europe-west1-b}\nkeep-in-standby: [Deployment shop/web]\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := &decision.Decisions{Zones: map[string]string{"eu-west-1a": "europe-west1-b"}, Keep: []string{"Deployment shop/web"}}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
}
