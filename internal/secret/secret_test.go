package secret

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestIsReference(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"env:NAME": true, "file:/run/secrets/db": true, "exec:aws rds generate-db-auth-token": true, "env:": true,
		"mysql://u@h/d": false, "u:p@tcp(h:1)/d": false, "env": false, "": false, "environment:X": false, "ENV:X": false,
	} {
		if got := IsReference(s); got != want {
			t.Errorf("IsReference(%q) is %t, want %t", s, got, want)
		}
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("BASCULE_SECRET", " p%40ss ")
	t.Setenv("BASCULE_EMPTY", "")
	tests := map[string]struct {
		reference, want string
		says            string // of the error
	}{
		"variable":           {"env:BASCULE_SECRET", " p%40ss ", ""},
		"no variable":        {"env:BASCULE_NOT_SET", "", "the environment variable BASCULE_NOT_SET is not set"},
		"empty variable":     {"env:BASCULE_EMPTY", "", "it is empty"},
		"no name":            {"env:", "", "it names nothing"},
		"file":               {"file:" + write("a", "two words\n"), "two words", ""},
		"file of Windows":    {"file:" + write("b", "word\r\n"), "word", ""},
		"no file":            {"file:" + dir + "/none", "", "no such file"},
		"directory":          {"file:" + dir, "", "it is a directory"},
		"empty file":         {"file:" + write("c", "\n"), "", "it is empty"},
		"a backup":           {"file:" + write("d", strings.Repeat("x", longest+1)), "", "which is no password"},
		"command":            {"exec:printf 'to%s' ken", "token", ""},
		"command that fails": {"exec:echo first >&2; echo expired >&2; exit 3", "", "exit status 3: expired"},
		"silent command":     {"exec:false", "", `read secret "exec:false": exit status 1`},
		"not a reference":    {"hunter2", "", "not a reference"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(t.Context(), test.reference)
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("error %v, want %q", err, test.says)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats the secret: %v", err)
			}
		})
	}
}

func TestResolveReadsAnew(t *testing.T) {
	t.Parallel()
	counter := filepath.Join(t.TempDir(), "n")
	reference := "exec:echo x >> " + counter + "; wc -l < " + counter
	for _, want := range []string{"1", "2"} {
		got, err := Resolve(t.Context(), reference)
		if err != nil || strings.TrimSpace(got) != want {
			t.Errorf("got %q, %v, want %s", got, err, want)
		}
	}
}

func TestResolveIsCancelled(t *testing.T) {
	t.Parallel()
	cause := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := Resolve(ctx, "exec:sleep 60"); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
}
