package account_test

import (
	"fmt"
	"testing"

	"github.com/bascule/bascule/internal/round/account"
)

// BenchmarkOf draws up the account of a round of 40 databases, in the middle of its copies, with 20 rounds behind it.
func BenchmarkOf(b *testing.B) {
	t := &testing.T{}
	var names []string
	script, rest := "", ""
	for i := range 40 {
		db := fmt.Sprint("db", i)
		names = append(names, db)
		script += fmt.Sprintf("1s started: copy %s\n1m done: copy %s\n", db, db)
		rest += fmt.Sprintf("0s started: close %s\n1s done: close %s\n", db, db)
	}
	half := script
	script += "0s started: gate\n0s done: gate\n1m go: gate\n1m bob go: gate\n0s started: quiesce\n5m done: quiesce\n" + rest
	for _, db := range names {
		script += fmt.Sprintf("0s started: open %s\n1s done: open %s\n", db, db)
	}
	var past []account.Past
	for i := range 20 {
		past = append(past, newTale(t, named(moving("other", names...), fmt.Sprint("other-", i))).tell(script).past)
	}
	x := newTale(t, moving("preprod", names...)).tell(half)
	for b.Loop() {
		if _, err := account.Of(x.past.Round, x.past.Entries, past, nil, nil, x.now); err != nil {
			b.Fatal(err)
		}
	}
}
