package web

import "time"

// The scenes are moments that an operator meets.

// gateScene: everything is copied, and people are asked for their go.
func gateScene(s *scene) {
	s.tell(copied + `
0s started: go
1m noted | the copy of search took twice as long as at the rehearsal
1m done: go | criteria hold: lag 0.4 s, no findings open
9m30s paused | lunch of the approver
20s resumed
`)
	s.live()
}

// freezeScene: the databases of the shop are being closed, and one of them is late.
func freezeScene(s *scene) {
	s.tell(copied + `
0s started: go
1m done: go
6m bob says go: go | we go
0s started: announce
1s done: announce
0s started: quiesce
4m done: quiesce | no consumer since 03:29
0s started: close orders
0s started: close stock
0s started: close users
0s started: close search
42s done: close orders
8s done: close search
0s started: open search
4s done: open search
93s noted | stock still has one open transaction, from the nightly report
`)
	s.live()
}

// askScene: a database of the group does not open, and the switch is behind for others.
func askScene(s *scene) {
	s.tell(copied + `
0s started: go
1m done: go
6m bob says go: go
0s started: announce
1s done: announce
0s started: quiesce
1m done: quiesce | stopped
0s started: close *
40s done: close *
0s started: open *
3s done: open orders
1s done: open stock
1s done: open search
30s failed: open users | the new side does not answer: connect to 10.4.1.9:5432: timeout
95s noted | network asks for ten minutes
`)
	s.live()
}

// doneScene: all is over but the finish.
func doneScene(s *scene) {
	s.tell(copied + `
0s started: go
1m done: go
6m bob says go: go
0s started: announce
1s done: announce
0s started: quiesce
1m done: quiesce | stopped
0s started: close *
21s done: close *
0s started: open *
3s done: open *
`)
	s.live()
}

func (s *scene) live() {
	for i, name := range []string{"orders", "stock", "users", "search"} {
		age := time.Duration(i) * 300 * time.Millisecond
		if name == "search" {
			age = 47 * time.Second
		}
		s.sign(name, age, time.Duration(350+i*i*1900)*time.Millisecond, 1834-i*311, 12+i*9)
	}
}

// rest brings a copied round to its end.
const rest = `
0s started: go
1m done: go
6m bob says go: go
0s started: announce
1s done: announce
0s started: quiesce
1m done: quiesce | stopped
0s started: close *
21s done: close *
0s started: open *
3s done: open *
0s started: endpoints
4m done: endpoints | read back
0s started: live
6m done: live | 41 of 41 pods
0s started: smoke
3m done: smoke | order 991 bought and refunded
0s started: traffic
9m done: traffic | dig
0s started: tell
1s done: tell
0s started: soak
30m done: soak
0s started: part
1m done: part
26h bob says go: part
0s started: finish *
4s done: finish *
`

// pastScene: preprod has moved, then the first region; the next one has begun.
func pastScene(s *scene) {
	s.set(func() { s.rounds = nil })
	s.round("preprod", "ann")
	s.tell("31h started: freeze\n50m noted | the runbook of the queue was wrong\n1m done: freeze | x\n0s started: ttl\n90m done: ttl | x\n0s started: standby\n9h done: standby | x\n" +
		"0s started: copy *\n2h done: copy *\n0s started: verify *\n1h done: verify *" + rest)
	s.round("prod-ap", "ann")
	s.tell(copied + rest)
	s.round("prod-eu", "ann")
	s.tell("0s started: freeze\n3m noted | who owns the queue in Europe?")
}
