package secret_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bascule/bascule/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hidden = "s3cr3t-Value"

func write(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // the umask may have taken bits away
		t.Fatal(err)
	}
	return path
}

func TestResolve(t *testing.T) {
	t.Setenv("BASCULE_TEST_SECRET", hidden)
	t.Setenv("BASCULE_TEST_EMPTY", "")
	tests := map[string]struct {
		reason, ref, want string
	}{
		"environment":       {"a set variable", "env:BASCULE_TEST_SECRET", hidden},
		"empty variable":    {"set to nothing is set", "env:BASCULE_TEST_EMPTY", ""},
		"file":              {"one line break goes", "file:" + write(t, hidden+"\n", 0o600), hidden},
		"file of Windows":   {"both its bytes go", "file:" + write(t, hidden+"\r\n", 0o640), hidden},
		"two line breaks":   {"only one goes", "file:" + write(t, hidden+"\n\n", 0o600), hidden + "\n"},
		"blanks in a file":  {"blanks are part of a secret", "file:" + write(t, " "+hidden+" ", 0o600), " " + hidden + " "},
		"command":           {"what it prints", "exec:printf " + hidden, hidden},
		"quoted arguments":  {"quotes keep words together", `exec:printf '%s|%s' 'a b' "c'd"`, "a b|c'd"},
		"no shell":          {"metacharacters are ordinary", "exec:echo $HOME;ls", "$HOME;ls"},
		"literal":           {"anything else is itself", hidden, hidden},
		"literal colon":     {"an unknown prefix is part of it", "pa:ss", "pa:ss"},
		"escaped reference": {"a secret that looks like a reference", "literal:env:X", "env:X"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := secret.Resolve(t.Context(), test.ref)
			if err != nil || got != test.want {
				t.Errorf("%s: got %q, %v; want %q", test.reason, got, err, test.want)
			}
		})
	}
}

func TestResolveFails(t *testing.T) {
	open := write(t, hidden, 0o644)
	tests := map[string]struct {
		reason, ref string
		want        []string
	}{
		"unset":           {"not the same as empty", "env:BASCULE_TEST_UNSET", []string{"BASCULE_TEST_UNSET", "not set"}},
		"no file":         {"says which", "file:/nonexistent/x", []string{"/nonexistent/x", "no such file"}},
		"directory":       {"no secret", "file:" + t.TempDir(), []string{"directory"}},
		"open to all":     {"names the chmod", "file:" + open, []string{"everyone may read it", "chmod o-rwx"}},
		"huge file":       {"a wrong path", "file:" + write(t, strings.Repeat("x", 70_000), 0o600), []string{"larger than"}},
		"failing command": {"stderr says why, stdout stays hidden", `exec:sh -c "echo ` + hidden + `; echo denied for ` + hidden + ` >&2; exit 3"`, []string{"exit status 3", "denied for ***"}},
		"silent command":  {"an empty token is a failure", `exec:sh -c "echo warning >&2"`, []string{"printed nothing", "warning"}},
		"no program":      {"says so", "exec:bascule-has-no-such-program " + hidden, []string{"bascule-has-no-such-program", "not found"}},
		"empty command":   {"says so", "exec: ", []string{"no program"}},
		"open quote":      {"says which", "exec:echo 'x", []string{"quote"}},
		"chatty command":  {"a secret is a line", "exec:seq 100000", []string{"more than"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := secret.Resolve(t.Context(), test.ref)
			if err == nil {
				t.Fatalf("%s: got %.100q, want an error", test.reason, got)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: %q does not say %q", test.reason, err, part)
				}
			}
			if strings.Contains(err.Error(), hidden) {
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

func TestIsReference(t *testing.T) {
	for s, want := range map[string]bool{
		"env:A": true, "file:/run/secret": true, "exec:aws rds": true, "literal:x": true,
		"": false, "env": false, "mysql://env:x@h/": false, "postgres://h/d": false, hidden: false,
	} {
		if got := secret.IsReference(s); got != want {
			t.Errorf("IsReference(%q) is %t", s, got)
		}
	}
}

func TestCommandEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := secret.Resolve(ctx, `exec:sh -c "sleep 60"`)
	if err == nil || time.Since(began) > 20*time.Second {
		t.Errorf("got %v after %s, want an error at once", err, time.Since(began))
	}
}
