package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, want string }{
		"URL":                {"connect to mysql://app:geheim@db:3306/shop: refused", "connect to mysql://app:***@db:3306/shop: refused"},
		"URL, odd password":  {`parse "postgres://app:g@h:e/i@db/shop": bad`, `parse "postgres://app:***@db/shop": bad`},
		"URL, no user":       {"postgres://:geheim@db/shop", "postgres://:***@db/shop"},
		"URL, no password":   {"mysql://app@db:3306/shop", "mysql://app@db:3306/shop"},
		"two URLs":           {"mysql://a:geheim@b/c to postgres://d:geheim@e/f", "mysql://a:***@b/c to postgres://d:***@e/f"},
		"DSN":                {"app:geheim@tcp(db:3306)/shop", "app:***@tcp(db:3306)/shop"},
		"DSN, odd password":  {"app:g:e@h@unix(/run/my.sock)/shop", "app:***@unix(/run/my.sock)/shop"},
		"key and value":      {"host=db password=geheim dbname=shop", "host=db password=*** dbname=shop"},
		"quoted value":       {`password = 'ge \'heim' dbname=shop`, `password = *** dbname=shop`},
		"parameter of a URL": {"postgres://db/shop?user=a&password=geheim&sslmode=require", "postgres://db/shop?user=a&password=***&sslmode=require"},
		"told":               {"token AKIA-geheim expired", "token *** expired"},
		"time":               {"at 12:30:00 to a@b.example", "at 12:30:00 to a@b.example"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &redactor{}
			r.hide("AKIA-geheim")
			r.hide("at") // too short to be looked for
			var b bytes.Buffer
			if _, err := io.WriteString(r.writer(&b), test.in); err != nil {
				t.Fatal(err)
			}
			if got := b.String(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if strings.Contains(b.String(), "heim") {
				t.Error("the secret is there")
			}
		})
	}
}
