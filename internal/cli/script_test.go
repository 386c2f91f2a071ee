package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/bascule/bascule/internal/servertest"
)

// TestMain lets scripts run bascule as a program of its own: testscript starts this
// test binary again under that name.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){
		"bascule": func() {
			// This function is the program's main.
			os.Exit(Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// leakChecked runs the tests and then looks for goroutines that they left.
type leakChecked struct{ m *testing.M }

// Run returns the exit code of the tests, or 1 for a leak.
func (l leakChecked) Run() int {
	code := l.m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		println(err.Error())
		return 1
	}
	return code
}

// TestScripts runs the stories that need no server.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script", UpdateScripts: *update})
}

// TestServerScripts runs the stories with a MariaDB database, $SOURCE, and a PostgreSQL
// database, $TARGET, both fresh for each. $SOURCE_PASSWORD and $TARGET_PASSWORD are what must
// not be printed. The commands
//
//	source FILE     runs a file of SQL, statements ended by a semicolon and a newline
//	target FILE     the same on the target
//	rows QUERY TEXT compares the target's answer, values joined by commas, rows by spaces
//
// are theirs.
func TestServerScripts(t *testing.T) {
	t.Parallel()
	s, d := servertest.MariaDB(t), servertest.Postgres15(t)
	run := func(server *servertest.Server, variable string) func(*testscript.TestScript, bool, []string) {
		return func(ts *testscript.TestScript, _ bool, args []string) {
			stmts := strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), ";\n"), ";\n")
			server.Exec(t, ts.Getenv(variable), stmts...)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/server", UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("SOURCE", s.Database(t))
			env.Setenv("TARGET", d.Database(t))
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"source": run(s, "SOURCE"),
			"target": run(d, "TARGET"),
			"rows": func(ts *testscript.TestScript, _ bool, args []string) {
				var rows []string
				for _, r := range d.Query(t, ts.Getenv("TARGET"), args[0]) {
					rows = append(rows, strings.Join(r, ","))
				}
				if got := strings.Join(rows, " "); got != args[1] {
					ts.Fatalf("%s\ngot  %s\nwant %s", args[0], got, args[1])
				}
			},
		},
	})
}
