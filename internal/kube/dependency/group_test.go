package dependency_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/kube/dependency"
)

// sharing writes workloads that use databases.
func sharing(uses [][]int) string {
	var b strings.Builder
	for i, all := range uses {
		fmt.Fprintf(&b, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w%d, namespace: shop}\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        env:\n        - {name: X, value: y}\n", i)
		for j, s := range all {
			fmt.Fprintf(&b, "        - {name: DB%d_HOST, value: db%d.c1.eu-west-1.rds.amazonaws.com}\n", j, s)
		}
	}
	return b.String()
}

// apart counts the sets of workloads that no shared database joins, by union-find, and names them by their members. One tie may be left out.
func apart(uses [][]int, leftOut [2]int) map[string]bool {
	parent := map[string]string{}
	var root func(x string) string
	root = func(x string) string {
		if parent[x] == "" || parent[x] == x {
			return x
		}
		parent[x] = root(parent[x])
		return parent[x]
	}
	for w, all := range uses {
		for _, s := range all {
			if [2]int{w, s} != leftOut {
				parent[root(fmt.Sprintf("w%d", w))] = root(fmt.Sprintf("s%d", s))
			}
		}
	}
	members := map[string][]string{}
	for w := range uses {
		name := fmt.Sprintf("w%d", w)
		members[root(name)] = append(members[root(name)], "workload Deployment shop/"+name)
	}
	out := map[string]bool{}
	for _, m := range members {
		slices.Sort(m)
		out[strings.Join(m, ",")] = true
	}
	return out
}

// TestGroupsAreTheConnectedComponents compares groups with union-find, and bridges and the cut with what is left when each tie is taken out.
func TestGroupsAreTheConnectedComponents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workloads, databases := rapid.IntRange(1, 9).Draw(t, "workloads"), rapid.IntRange(1, 6).Draw(t, "databases")
		uses := make([][]int, workloads)
		for i := range uses {
			uses[i] = rapid.SliceOfNDistinct(rapid.IntRange(0, databases-1), 0, min(3, databases), rapid.ID[int]).Draw(t, "uses")
		}
		m := dependency.New(dependency.Input{Set: parsed(t, sharing(uses))})
		none := [2]int{-1, -1}
		want := apart(uses, none)
		got := map[string]bool{}
		for _, g := range m.Groups {
			got[strings.Join(g.Workloads, ",")] = true
		}
		for set := range want {
			if strings.Contains(set, ",") != got[set] {
				t.Fatalf("%s: want a group %v, got %v", set, strings.Contains(set, ","), m.Groups)
			}
		}
		if len(got) != len(m.Groups) {
			t.Fatalf("groups stand twice: %v", m.Groups)
		}
		for _, g := range m.Groups {
			bridges, best := 0, 0
			for w, all := range uses {
				if !slices.Contains(g.Workloads, fmt.Sprintf("workload Deployment shop/w%d", w)) {
					continue
				}
				for _, s := range all {
					for set := range apart(uses, [2]int{w, s}) {
						// A part of the group that has the tie's workload in it, and not the whole of it.
						part := strings.Split(set, ",")
						if slices.Contains(part, fmt.Sprintf("workload Deployment shop/w%d", w)) && len(part) < len(g.Workloads) {
							bridges++
							best = max(best, min(len(part), len(g.Workloads)-len(part)))
						}
					}
				}
			}
			if bridges != g.Bridges {
				t.Fatalf("%v has %d bridges, want %d", g.Workloads, g.Bridges, bridges)
			}
			cut := 0
			if g.Cut != nil {
				cut = min(len(g.Cut.Apart), len(g.Cut.Rest))
				if len(g.Cut.Apart)+len(g.Cut.Rest) != len(g.Workloads) || !slices.Contains(g.Cut.Apart, g.Cut.Workload) {
					t.Fatalf("the cut's sides are %v and %v", g.Cut.Apart, g.Cut.Rest)
				}
			}
			if cut != best {
				t.Fatalf("the cut leaves %d, the best would leave %d", cut, best)
			}
		}
	})
}
