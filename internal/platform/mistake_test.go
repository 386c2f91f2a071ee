package platform

import (
	"errors"
	"strings"
	"testing"
)

// TestExampleMistakes makes one mistake in the complete example after the other, and holds what is said and that it is said of the line of the mistake.
func TestExampleMistakes(t *testing.T) {
	right := example(t)
	for _, c := range []struct{ old, becomes, says string }{
		{"rehearsal-days: 10", "rehearsal-days: 0", "a rehearsal is good for 1 to 3650 days"},
		{"rehearsal-days: 10", "rehearsal-days: ten", "a text stands where a whole number is expected"},
		{"rehearsal-days: 10", "rehearsal-day: 10", `unknown key "rehearsal-day": did you mean "rehearsal-days"?`},
		{"journal: env:ROUNDS_DATABASE", "journal: postgres://me:geheim@db/rounds", "a password does not belong into this file"},
		{"journal: env:ROUNDS_DATABASE", "journal: mysql://me@db/rounds", "it is neither a file, nor postgres://"},
		{"webhook-secret: env:BASCULE_WEBHOOK_KEY", "webhook-secret: geheim", "a secret does not belong into this file"},
		{"slack: [env:SLACK_BRIDGE]", "slack: [https://hooks.slack.example/geheim]", "a secret does not belong into this file"},
		{"password: env:SMTP_PASSWORD", "password: literal:geheim", "a secret does not belong into this file"},
		{"host: smtp.shop.example", "host: smtp.shop.example:25", "the port has a key of its own"},
		{"from: bascule@shop.example", "from: bascule", `"bascule" is no mail address`},
		{"user: bascule\n", "tls: none\n    user: bascule\n", "mail to another machine is encrypted"},
		{"limits: {production: 1, copies: 2}", "limits: {production: 0, copies: 2}", "0 steps can never use anything"},
		{"listen: 0.0.0.0:8437", "listen: 0.0.0.0", `"0.0.0.0" is no host:port`},
		{"listen: 0.0.0.0:8437", "listen: 0.0.0.0:70000", "has no port from 0 to 65535"},
		{"rehearsal: preprod/orders-scratch.yaml", "rehearsal: preprod/orders.yaml", "would move the database itself"},
		{"group: shop}", "group: The Shop}", `"The Shop" is no name`},
		{"name: sessions,", "name: S,", `"S" is no name`},
		{"max-lag: 30s", "max-lag: 30", "the number 30 is no duration such as 90s"},
		{"max-lag: 30s", "max-lag: 0s", "nothing lasts 0s"},
		{"max-lag: 30s", "max-lag:", "nothing stands here"},
		{"parameters: {region: eu-west-1}", "parameters: {region: 1}", "the number 1 stands where a text is expected"},
		{"parameters: {region: eu-west-1}", "parameters: {hosts: x, region: y}", "${hosts} is given by bascule"},
		{"rehearse-undo: ./quiesce --scratch off", "rehearse-undo: impossible", "what cannot be undone cannot be rehearsed"},
		{"rehearse: ./quiesce --scratch on, ", "", "there is no rehearse that it could undo"},
		{"timeout: 5m", "timeout: 0s", "nothing lasts 0s"},
		{"undo: ./quiesce off, rehearse", "undo: impossible, rehearse", "has an undo, and its hook none"},
		{"check: ./errors-below 1,", `check: "./errors-below ${limit}",`, "environment prod-eu has no parameter limit"},
		{"check: ./errors-below 1, ", "", `watch "errors" says nothing to look at`},
		{"from: flip,", "from: flop,", `there is no step "flop": did you mean "flip"?`},
		{"from: flip,", "from: open,", `step "open" is made for each database: name one of them, such as "open orders"`},
		{"weights: [5, 25, 100]", "weights: [5, 25]", "the last share is 100 percent"},
		{"weights: [5, 25, 100]", "weights: [5, 5, 100]", "shares grow"},
		{"needs: [ramp], for: 30m, rehearse: 10s", "needs: [ramp], for: 30m, rehearse: ./soak", `"./soak" is no duration such as 10s`},
		{"needs: [ramp], for: 30m, rehearse: 10s", "needs: [ramp], every: 10s, for: 30m", `step "soak" has no condition to look at`},
		{"approvers: [ann, bob]", "approvers: [ann, eve]", "eve does not have the role approve"},
		{"approvers: [ann, bob]", "approvers: [ann, zoe]", `there is nobody called "zoe" among people`},
		{"criteria: databases", "criteria: caches", `there are no criteria "caches"`},
		{"kind: message, needs: [go],", "kind: message, undo: tell them, needs: [go],", "a message has no effect that could be undone"},
		{"kind: automated, each: database, do: copy,", "kind: automated, each: database, rehearse: x, do: copy,", "rehearse is for"},
		{"kind: manual, needs: [announce],", "kind: manual, weights: [1, 100], needs: [announce],", "weights is for traffic alone"},
		{"adopted: drained", "adopted: drain", `there is no step "drain": did you mean "drained"?`},
		{"{finding: preprod-1/9, owner: ann}", "{finding: preprod-1/9}", "is open, and nobody's"},
		{"{finding: preprod-1/9, owner: ann}", "{finding: preprod-1/7, owner: ann}", "is there twice"},
		{"{finding: preprod-1/9, owner: ann}", "{finding: x, adopted: go, dismissed: y}", "is either adopted or dismissed"},
		{"name: pictures", "name: *p", "nothing before is called &p"},
		{"name: pictures", "name: !!str pictures", "tags such as !!str have no meaning here"},
	} {
		i := strings.Index(right, c.old)
		if i < 0 {
			t.Errorf("%q is not in the example", c.old)
			continue
		}
		_, err := Parse([]byte(right[:i] + c.becomes + right[i+len(c.old):]))
		m, ok := errors.AsType[*MistakeError](err)
		if !ok || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s → %s:\n got %v\nwant %s", c.old, c.becomes, err, c.says)
			continue
		}
		if line := strings.Count(right[:i], "\n") + 1; m.Line < line || m.Line > line+1 {
			t.Errorf("%s → %s: said of line %d, and is in line %d: %v", c.old, c.becomes, m.Line, line, err)
		}
		if strings.Contains(err.Error(), "geheim") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
}

// TestFarMistakes are those that are said of another line than the one that makes them.
func TestFarMistakes(t *testing.T) {
	right := example(t)
	for _, c := range []struct{ old, becomes, says string }{
		{"  key: tls/serve.key\n", "  proxy: nginx\n", "cert and key go together"},
		{"  key: tls/serve.key\n", "  proxy: nginx\n", `"nginx" is neither an address`},
		{"  cert: tls/serve.crt\n  key: tls/serve.key\n", "", "other machines reach 0.0.0.0:8437"},
		{"{name: static.shop.example, ramp: true}", "{name: static.shop.example}", `step "ramp" moves traffic by shares, and environment prod-eu has no host with ramp: true`},
		{"do: ./queues-empty\n", "do: ./queues-empty\n    for: 1m\n", "waits either until a condition holds (do), or for a while (for)"},
		{"weights: [5, 25, 100]", "weights: [100]", "has no shares between which it could pause"},
		{"approvers: [ann, bob]", "approvers: [ann]", "2 people are to agree, and 1 may"},
		{"    acknowledges: [codes]\n", "", "step codes has no undo, and no gate before it acknowledges that"},
		{"needs: [ready, tree, verify]", "needs: [ready, verify, soak]", "waits for itself"},
		{"lessons:", "---\nlessons:", "a second document begins"},
	} {
		if !strings.Contains(right, c.old) {
			t.Errorf("%q is not in the example", c.old)
			continue
		}
		if _, err := Parse([]byte(strings.Replace(right, c.old, c.becomes, 1))); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s → %s:\n got %v\nwant %s", c.old, c.becomes, err, c.says)
		}
	}
	for _, empty := range []string{"", "# nothing\n", "---\n", "x", "[]"} {
		if _, err := Parse([]byte(empty)); err == nil {
			t.Errorf("%q is a platform", empty)
		}
	}
	var all []string
	_, err := Parse([]byte("platform: ''\nenvironments: [{name: A, zone: Mars}]\n"))
	for line := range strings.Lines(err.Error()) {
		all = append(all, line)
	}
	if len(all) != 3 || !strings.HasPrefix(all[0], "line 1, ") {
		t.Errorf("all mistakes in the order of the file: %q", all)
	}
}

// TestFlipNeedsAStep: where the only traffic step moves shares, a host that may not ramp is never moved.
func TestFlipNeedsAStep(t *testing.T) {
	text := strings.Replace(ownTemplate(), "needs: [close], undo: go back}\n", "needs: [close], undo: go back}\n  - {step: ramp, kind: traffic, do: ./ramp, weights: [5, 100], needs: [open], undo: ./back}\n", 1)
	_, err := Parse([]byte(text))
	if err == nil || !strings.Contains(err.Error(), "line 14, column 9: host api.shop.example has no ramp: true, and no traffic step without weights moves it") {
		t.Error(err)
	}
}
