package spool

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	holdDir    = "holds"
	serverFile = "server"
)

// A Hold says how far a migration is: it needs what comes after that.
type Hold struct {
	// Migration names it, the same in every process that works on it.
	Migration string `json:"migration"`
	// Position is durable where the migration's changes go.
	Position string    `json:"position"`
	Time     time.Time `json:"time"`
}

func holdPath(dir, migration string) string {
	sum := sha256.Sum256([]byte(migration))
	return filepath.Join(dir, holdDir, hex.EncodeToString(sum[:8]))
}

// Keep writes a hold, in place of the one that the migration had.
func Keep(dir string, h Hold) error {
	if err := os.MkdirAll(filepath.Join(dir, holdDir), 0o700); err != nil {
		return diskFault("make the spool "+dir, err)
	}
	err := replaceFile(holdPath(dir, h.Migration), func(w io.Writer) error { return json.NewEncoder(w).Encode(h) })
	return diskFault("write down in the spool "+dir+" what is needed of it", err)
}

// Release forgets a migration's hold. It reports whether there was one.
func Release(dir, migration string) (bool, error) {
	err := os.Remove(holdPath(dir, migration))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, diskFault("release the spool "+dir, err)
}

// Holds lists what is needed of a spool, by migration.
func Holds(dir string) ([]Hold, error) {
	entries, err := os.ReadDir(filepath.Join(dir, holdDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, diskFault("read the spool "+dir, err)
	}
	var out []Hold
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), newSuffix) {
			continue
		}
		path := filepath.Join(dir, holdDir, e.Name())
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) { // released meanwhile
			continue
		}
		var h Hold
		if err == nil {
			err = json.Unmarshal(text, &h)
		}
		if err != nil {
			return nil, diskFault("read the spool's file "+path, err)
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b Hold) int { return cmp.Compare(a.Migration, b.Migration) })
	return out, nil
}

// Trim deletes the segments that nobody needs, oldest first and never the last one: those of which every hold's position includes all,
// as needless(position of a hold, place behind the segment) tells, and that have been finished for that long, because a migration
// that begins now may not have written down yet what it needs. It returns how many there were. Without a hold nobody needs any.
func Trim(dir string, finished time.Duration, needless func(position string, end Place) (bool, error)) (int, error) {
	all, err := segments(dir)
	if err != nil {
		return 0, err
	}
	holds, err := Holds(dir)
	if err != nil {
		return 0, err
	}
	for i := range max(len(all)-1, 0) {
		info, err := os.Stat(segmentPath(dir, all[i]))
		if err != nil {
			return i, diskFault("trim the spool "+dir, err)
		}
		if time.Since(info.ModTime()) < finished {
			return i, nil
		}
		sum, err := summary(dir, all[i], false)
		if err != nil {
			return i, err
		}
		for _, h := range holds {
			if in, err := needless(h.Position, sum.Last); err != nil || !in {
				return i, err
			}
		}
		if err := remove(dir, all[i]); err != nil {
			return i, err
		}
	}
	return max(len(all)-1, 0), nil
}

// A Segment is where one segment begins.
type Segment struct {
	Number uint64
	First  Place
}

// Segments lists a spool's segments, oldest first.
func Segments(dir string) ([]Segment, error) {
	all, err := segments(dir)
	if err != nil {
		return nil, err
	}
	var out []Segment
	for _, n := range all {
		s, err := openSegment(dir, n, os.O_RDONLY)
		if errors.Is(err, os.ErrNotExist) && len(out) == 0 { // trimmed meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, Segment{n, s.first.place})
		s.close()
	}
	return out, nil
}

// remove deletes a segment, and its index first.
func remove(dir string, n uint64) error {
	if err := os.Remove(indexPath(dir, n)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return diskFault("trim the spool "+dir, err)
	}
	return diskFault("trim the spool "+dir, os.Remove(segmentPath(dir, n)))
}

// A Server is whose log a spool holds.
type Server struct {
	ID      string `json:"id"`
	Address string `json:"address"`
}

// Name writes down whose log the spool holds.
func Name(dir string, s Server) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return diskFault("make the spool "+dir, err)
	}
	err := replaceFile(filepath.Join(dir, serverFile), func(w io.Writer) error { return json.NewEncoder(w).Encode(s) })
	return diskFault("name the spool "+dir, err)
}

// Status is what stands in one spool.
type Status struct {
	Dir    string `json:"directory"`
	Server Server `json:"server"`
	// Segments is how many there are; without any, Summary is empty.
	Segments  int  `json:"segments"`
	Encrypted bool `json:"encrypted"`
	Summary
	// Writer is nil when nobody writes.
	Writer *Owner `json:"writer"`
	Holds  []Hold `json:"holds"`
}

// Look reports what stands in a spool. It needs no key.
func Look(dir string) (*Status, error) {
	st := &Status{Dir: dir, Holds: []Hold{}, Writer: owner(dir)}
	if text, err := os.ReadFile(filepath.Join(dir, serverFile)); err == nil {
		if err := json.Unmarshal(text, &st.Server); err != nil {
			return nil, diskFault("read the spool "+dir, err)
		}
	}
	all, err := segments(dir)
	if err != nil {
		return nil, err
	}
	for i, n := range all {
		sum, err := summary(dir, n, i == len(all)-1)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			st.First = sum.First
		}
		st.Last = sum.Last
		st.Raw += sum.Raw
		st.Disk += sum.Disk
	}
	if st.Segments = len(all); st.Segments > 0 {
		s, err := openSegment(dir, all[0], os.O_RDONLY)
		if err != nil {
			return nil, err
		}
		st.Encrypted = s.first.flags&flagEncrypted != 0
		s.close()
	}
	holds, err := Holds(dir)
	st.Holds = append(st.Holds, holds...)
	return st, err
}

// List returns the folders of all spools under a root.
func List(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, diskFault("read the spools in "+root, err)
	}
	var out []string
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		if _, err := os.Stat(filepath.Join(dir, serverFile)); e.IsDir() && err == nil {
			out = append(out, dir)
		}
	}
	return out, nil
}
