package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// databases are all of the platform, by what they are called on both sides.
var databases = []string{"preprod_shop", "prod_ap_shop", "prod_ap_payments", "prod_ap_messages", "prod_na_shop", "prod_eu_shop"}

// The environments.
const (
	preprod = "preprod"
	asia    = "prod-ap"
	america = "prod-na"
	europe  = "prod-eu"
)

// play plays the whole story.
func play(ctx context.Context, s *stage) error {
	s.began = time.Now()
	ctx, end := context.WithCancel(ctx)
	defer end()
	if err := s.badges(ctx); err != nil {
		return err
	}
	if err := s.open(ctx, databases...); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{s.proof, s.learn, s.first, s.group, s.back, s.last, s.closing} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// proof is the proof of concept: one thing fails in it, and ann writes two others down.
func (s *stage) proof(ctx context.Context) error {
	s.head(1, "A proof of concept of preprod: everything is tried, nothing is switched")
	acts := s.hands(preprod)
	approve := acts["part"]
	acts["part"] = func(ctx context.Context) error {
		for _, note := range [][]string{
			{"jobs", "ann", "rights, jobs and smoke are the same commands each time: hooks can do them"},
			{"copy shop", "bob", "the copy needs nobody's night: it can be made days before, and followed"},
		} {
			if err := s.by("ann", "note", preprod, "--kind", "opportunity", "--step", note[0], "--owner", note[1], "--reason", note[2])(ctx); err != nil {
				return err
			}
		}
		return approve(ctx)
	}
	if _, err := s.drive(ctx, &ride{acts: acts, poc: true}, "done", "round", "run", preprod, "--poc"); err != nil {
		return err
	}
	return s.works(ctx, "old", "preprod_shop")
}

// learn mends what failed, and takes into bascule.yaml what the proof of concept teaches.
func (s *stage) learn(ctx context.Context) error {
	s.head(2, "What it taught: the next plan lists each finding, until bascule.yaml says what became of it")
	found, err := s.findings(ctx)
	if err != nil {
		return err
	}
	ids := map[string]string{}
	for _, f := range found {
		s.say("  %s, %s, of %s: %s", f.ID, f.Kind, f.Step, reason(f.Text))
		switch {
		case f.Step == "close shop" && f.Kind == "problem":
			ids["FAILED"] = f.ID
		case f.Step == "jobs" && f.Kind == "opportunity":
			ids["HOOKS"] = f.ID
		case f.Step == "copy shop" && f.Kind == "opportunity":
			ids["WARM"] = f.ID
		}
	}
	if len(found) != 3 || len(ids) != 3 {
		return fmt.Errorf("the proof of concept should have found a problem and two opportunities: %v", found)
	}
	if err := s.grant(ctx, "GRANT SLAVE MONITOR ON *.* TO 'mover'@'%'"); err != nil {
		return err
	}
	if err := s.adopt(ids); err != nil {
		return err
	}
	s.say("  bascule.yaml now has hooks for production, and under lessons what became of each:")
	if found, err = s.findings(ctx); err != nil {
		return err
	}
	for _, f := range found {
		s.say("  %s is %s: %s", f.ID, f.State, f.How)
		if f.State != "adopted" {
			return fmt.Errorf("finding %s should be adopted", f.ID)
		}
	}
	return nil
}

// finding is one of a proof of concept, as bascule round plan lists it.
type finding struct{ ID, Kind, Step, Text, State, How string }

func (s *stage) findings(ctx context.Context) ([]finding, error) {
	s.say("ann$ bascule round plan %s", preprod)
	out, err := s.ask(ctx, "ann", "round", "plan", preprod, "--json")
	if err != nil {
		return nil, err
	}
	var doc struct{ Lessons []finding }
	err = json.Unmarshal([]byte(out), &doc)
	return doc.Lessons, err
}

// adopt takes the mark from those lines of bascule.yaml that wait for the proof of concept, and names its findings.
func (s *stage) adopt(ids map[string]string) error {
	name := filepath.Join(s.folder, "bascule.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	learned := strings.ReplaceAll(string(text), "#+ ", "")
	for word, id := range ids {
		learned = strings.ReplaceAll(learned, word, id)
	}
	return os.WriteFile(name, []byte(learned), 0o600)
}

// first moves preprod, from nothing and with people.
func (s *stage) first(ctx context.Context) error {
	s.head(3, "preprod: rehearsed on scratch copies, then moved from nothing, with three steps by hand")
	if err := s.rehearse(ctx, preprod); err != nil {
		return err
	}
	s.say("the copy of the proof of concept goes, so that this round is timed from its beginning:")
	drop := []string{"db", "drop", "--yes", "--config", "db/preprod_shop.yaml"}
	s.say("ann$ bascule %s", line(drop))
	if _, err := s.ask(ctx, "", drop...); err != nil {
		return err
	}
	if _, err := s.run(ctx, preprod, "done", s.hands(preprod)); err != nil {
		return err
	}
	return s.works(ctx, "new", "preprod_shop")
}

// group moves three databases that switch together. The third cannot close, since somebody of whom nobody knew has a
// transaction open.
func (s *stage) group(ctx context.Context) error {
	s.head(4, "prod-ap: three databases that switch together, and hooks instead of hands")
	if err := s.rehearse(ctx, asia); err != nil {
		return err
	}
	three := databases[1:4]
	imports, err := s.imports(ctx, "prod_ap_messages")
	if err != nil {
		return err
	}
	s.say("what no rehearsal knew of: an importer writes to messages, by an account of its own, in one long transaction")
	if _, err := s.run(ctx, asia, "aborted", s.gates(asia)); err != nil {
		return err
	}
	s.say("nothing has moved; all three are open again where they were:")
	if err := s.works(ctx, "old", three...); err != nil {
		return err
	}
	if err := imports.finish(); err != nil {
		return err
	}
	s.say("the importer is waited for: it has committed %d lines; and the round is run again, with copies that are warm now:", imports.lines)
	if _, err := s.run(ctx, asia, "done", s.gates(asia)); err != nil {
		return err
	}
	if err := s.works(ctx, "new", three...); err != nil {
		return err
	}
	return imports.arrived(ctx, s, "prod_ap_messages")
}

// back moves prod-na, whose smoke test fails on the new side: it falls back, with every order, and moves again.
func (s *stage) back(ctx context.Context) error {
	s.head(5, "prod-na: the copy is made before; a fallback behind the switch, and then again")
	if err := s.rehearse(ctx, america); err != nil {
		return err
	}
	if err := s.warm(ctx, "prod_na_shop"); err != nil {
		return err
	}
	s.say("what no rehearsal knew of: finance reads prod-na, by an account that is younger than the scratch copies")
	acts := s.gates(america)
	acts["asking"] = func(ctx context.Context) error {
		s.say("the new side is open, and takes orders; ann decides:")
		if err := s.works(ctx, "new", "prod_na_shop"); err != nil {
			return err
		}
		_, err := s.show(ctx, "ann", "round", "fallback", america, "--reason", "finance cannot read the new side")
		return err
	}
	if _, err := s.run(ctx, america, "fell back", acts); err != nil {
		return err
	}
	if err := s.works(ctx, "old", "prod_na_shop"); err != nil {
		return err
	}
	s.say("finance gets its rights on the new side, and the round is run again:")
	if _, err := s.script(ctx, "hooks/reader", "prod-na", "finance", "shop"); err != nil {
		return err
	}
	if _, err := s.run(ctx, america, "done", s.gates(america)); err != nil {
		return err
	}
	return s.works(ctx, "new", "prod_na_shop")
}

// last moves prod-eu: nobody is waited for but at the gates, and nothing is left to copy.
func (s *stage) last(ctx context.Context) error {
	s.head(6, "prod-eu: hooks and a copy made before, and nothing unknown is left")
	if err := s.rehearse(ctx, europe); err != nil {
		return err
	}
	if err := s.warm(ctx, "prod_eu_shop"); err != nil {
		return err
	}
	if _, err := s.run(ctx, europe, "done", s.gates(europe)); err != nil {
		return err
	}
	return s.works(ctx, "new", "prod_eu_shop")
}

// closing asks the oracle, and lays the rounds side by side.
func (s *stage) closing(ctx context.Context) error {
	s.head(7, "What every application was told is written, against what the new side holds")
	if err := s.judge(ctx, databases...); err != nil {
		return err
	}
	s.head(8, "All rounds, side by side")
	if _, err := s.show(ctx, "ann", "round", "history", "--svg", "curve.svg"); err != nil {
		return err
	}
	report, err := s.ask(ctx, "ann", "round", "report", america)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.folder, "prod-na.md"), []byte(report), 0o600)
	}
	if err == nil {
		_, err = s.ask(ctx, "ann", "round", "report", america, "--html", "prod-na.html")
	}
	if err != nil {
		return err
	}
	for _, name := range []string{"curve.svg", "prod-na.md", "prod-na.html"} {
		if info, err := os.Stat(filepath.Join(s.folder, name)); err != nil || info.Size() < 500 {
			return errors.Join(fmt.Errorf("%s should be a picture or a report", name), err)
		}
	}
	s.say("\nthe curve as a picture: %s\nthe report of a round:  %s, and prod-na.html beside it", filepath.Join(s.folder, "curve.svg"), filepath.Join(s.folder, "prod-na.md"))
	s.say("\nThe demonstration took %.0f s, the set-up not counted.", time.Since(s.began).Seconds())
	return nil
}

// warm copies a database before its round, as one does days ahead.
func (s *stage) warm(ctx context.Context, name string) error {
	began := time.Now()
	args := []string{"db", "copy", "--follow", "--config", "db/" + name + ".yaml"}
	s.say("ann$ bascule %s    # days before", line(args))
	out, err := s.ask(ctx, "", args...)
	if err != nil {
		return err
	}
	for text := range strings.Lines(out) {
		if strings.HasPrefix(text, "copied: ") {
			s.say("  %s", strings.TrimSpace(text))
			return nil
		}
	}
	return fmt.Errorf("the copy of %s, after %s, does not say what it copied", name, time.Since(began))
}

// rehearse moves an environment's scratch copies to and fro.
func (s *stage) rehearse(ctx context.Context, environment string) error {
	_, err := s.drive(ctx, &ride{quiet: true}, "done", "round", "rehearse", environment, "--unattended")
	return err
}

// run moves an environment.
func (s *stage) run(ctx context.Context, environment, want string, acts map[string]act) (*object, error) {
	return s.drive(ctx, &ride{acts: acts}, want, "round", "run", environment)
}

// gates are the acts of bob, who says go at both.
func (s *stage) gates(environment string) map[string]act {
	return map[string]act{
		"go":   s.by("bob", "approve", environment, "go"),
		"part": s.by("bob", "approve", environment, "part"),
	}
}

// hands are those of ann too, who does by hand what no hook does.
func (s *stage) hands(environment string) map[string]act {
	acts := maps.Clone(s.gates(environment))
	for _, step := range []string{"rights", "jobs", "smoke"} {
		acts[step] = func(ctx context.Context) error {
			saw, err := s.script(ctx, "by-hand", step, environment, "shop")
			if err != nil {
				return err
			}
			return s.by("ann", "done", environment, step, "--evidence", saw)(ctx)
		}
	}
	return acts
}
