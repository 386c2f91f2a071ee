package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
)

// Goals of the copy and of the follow. They are printed beside what was measured; a missed goal
// is a finding for people, not a failure of the benchmark.
const (
	goalLoader   = 5.0  // times faster than pgloader, at least
	goalPipeline = 0.65 // of the pipeline's time, at most
	goalOwnShare = 0.20 // of all CPU seconds, at most
	goalRSS      = 128  // MiB, at most
	goalLongRSS  = 256  // MiB, at most, with a value of 64 MiB on every lane
	goalReplica  = 1.0  // of a native replica's time, at most
	goalSteps    = 256  // MiB, at most, while a backlog is applied
)

func summary(args []string) error {
	fs := flag.NewFlagSet("summary", flag.ContinueOnError)
	if err := fs.Parse(args); err != nil {
		return err
	}
	results, err := readResults(fs.Arg(0))
	if err != nil {
		return err
	}
	var sets []string
	for _, r := range results {
		if !slices.Contains(sets, r.Set) {
			sets = append(sets, r.Set)
		}
	}
	for _, set := range sets {
		summarizeSet(set, results)
	}
	return nil
}

func readResults(path string) ([]result, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open results: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	var out []result
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("read results: %w", err)
		}
		out = append(out, r)
	}
	return out, lines.Err()
}

func summarizeSet(set string, results []result) {
	by := map[string][]result{}
	var names []string
	for _, r := range results {
		if r.Set != set {
			continue
		}
		if by[r.Name] == nil {
			names = append(names, r.Name)
		}
		by[r.Name] = append(by[r.Name], r)
	}
	fmt.Printf("\n%s: median (least to most) of the rounds\n", set)
	fmt.Printf("  %-9s %22s %9s %9s %9s %9s\n", "", "seconds", "source s", "target s", "own s", "own MiB")
	for _, n := range names {
		rs := by[n]
		fmt.Printf("  %-9s %22s %9.2f %9.2f %9.2f %9.1f\n", n, spread(rs, wall), median(rs, func(r result) float64 { return r.Source }),
			median(rs, func(r result) float64 { return r.Target }), median(rs, func(r result) float64 { return r.Own }),
			median(rs, func(r result) float64 { return float64(r.RSS) / 1024 }))
	}
	compareWithGoals(by)
}

func compareWithGoals(by map[string][]result) {
	if verify := by["verify"]; len(verify) > 0 {
		compareVerify(by, verify)
	}
	own := by["bascule"]
	if len(own) == 0 {
		return
	}
	if loader := by["pgloader"]; len(loader) > 0 {
		times := ratios(loader, own)
		fmt.Printf("  bascule is %s times faster than pgloader; goal: at least %.0f: %s\n", spread3(times), goalLoader, verdict(middle(times) >= goalLoader))
	}
	if pipeline := by["pipeline"]; len(pipeline) > 0 {
		part := ratios(own, pipeline)
		fmt.Printf("  bascule takes %s of the pipeline's time; goal: at most %.2f: %s\n", spread3(part), goalPipeline, verdict(middle(part) <= goalPipeline))
	}
	goal := int64(goalRSS)
	if own[0].Set == "blobs" {
		goal = goalLongRSS
	}
	if replica := by["replica"]; len(replica) > 0 {
		part := ratios(own, replica)
		fmt.Printf("  bascule takes %s of the native replica's time; goal: at most %.2f: %s\n", spread3(part), goalReplica, verdict(middle(part) <= goalReplica))
		goal = goalSteps
	}
	share := median(own, func(r result) float64 { return r.Own / (r.Own + r.Source + r.Target) })
	fmt.Printf("  its own share of the CPU is %.0f %%", share*100)
	if len(by["replica"]) == 0 {
		fmt.Printf("; goal: at most %.0f %%: %s", goalOwnShare*100, verdict(share <= goalOwnShare))
	}
	fmt.Println()
	var rss int64
	for _, r := range own {
		rss = max(rss, r.RSS/1024)
	}
	fmt.Printf("  its peak memory is %d MiB; goal: at most %d MiB: %s\n", rss, goal, verdict(rss <= goal))
}

// compareVerify sets the verification beside the copy before it and beside
// reading everything.
func compareVerify(by map[string][]result, verify []result) {
	for _, other := range []string{"copy", "stream", "compare"} {
		if len(by[other]) == 0 {
			continue
		}
		part := ratios(verify, by[other])
		fmt.Printf("  verify takes %s of the time of %s", spread3(part), other)
		if other == "copy" {
			fmt.Printf("; goal: at most 1.00: %s", verdict(middle(part) <= 1))
		}
		fmt.Println()
	}
}

func verdict(ok bool) string {
	if ok {
		return "met"
	}
	return "MISSED"
}

func wall(r result) float64 { return r.Wall }

// ratios divides round by round, so that what slows a whole round down cancels out.
func ratios(a, b []result) []float64 {
	var out []float64
	for i := range min(len(a), len(b)) {
		out = append(out, a[i].Wall/b[i].Wall)
	}
	return out
}

func median(rs []result, of func(result) float64) float64 { return middle(values(rs, of)) }

func values(rs []result, of func(result) float64) []float64 {
	var out []float64
	for _, r := range rs {
		out = append(out, of(r))
	}
	return out
}

func middle(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func spread(rs []result, of func(result) float64) string { return spread3(values(rs, of)) }

func spread3(v []float64) string {
	return fmt.Sprintf("%.2f (%.2f to %.2f)", middle(v), slices.Min(v), slices.Max(v))
}
