package mysql

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// lagEvery bounds how often a server is asked where its log ends.
	lagEvery = time.Second
	// lagPatience bounds one question.
	lagPatience = 10 * time.Second
)

// A binlogFile is one file of a server's log.
type binlogFile struct {
	name string
	size uint64
}

// binlogFiles lists the files of the log, oldest first.
func (e *End) binlogFiles(ctx context.Context) ([]binlogFile, error) {
	rows, err := e.db.QueryContext(ctx, "SHOW BINARY LOGS")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var files []binlogFile
	for {
		r, err := rowByName(rows)
		if err != nil || r == nil {
			return files, err
		}
		size, err := strconv.ParseUint(r["File_size"].String, 10, 64)
		if err != nil {
			return nil, err
		}
		files = append(files, binlogFile{r["Log_name"].String, size})
	}
}

// A lag knows how long the log is, from asking aside when somebody wants to know.
type lag struct {
	files atomic.Pointer[[]binlogFile]
	ask   chan struct{}
	stop  context.CancelFunc
	ended chan struct{}
}

func newLag(ctx context.Context, e *End) *lag {
	ctx, stop := context.WithCancel(ctx)
	l := &lag{ask: make(chan struct{}, 1), stop: stop, ended: make(chan struct{})}
	go l.run(ctx, e)
	return l
}

func (l *lag) close() {
	l.stop()
	<-l.ended
}

func (l *lag) run(ctx context.Context, e *End) {
	defer close(l.ended)
	pause := time.NewTicker(lagEvery)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.ask:
		}
		l.measure(ctx, e)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

func (l *lag) measure(ctx context.Context, e *End) {
	ctx, cancel := context.WithTimeout(ctx, lagPatience)
	defer cancel()
	files, err := e.binlogFiles(ctx)
	if err != nil {
		e.log.DebugContext(ctx, "ask how long the binlog is", "error", err)
		l.files.Store(nil)
		return
	}
	l.files.Store(&files)
}

// behind returns how many bytes follow a place, as of the last answer, and wants another one.
func (l *lag) behind(file string, off uint64) int64 {
	select {
	case l.ask <- struct{}{}:
	default:
	}
	files := l.files.Load()
	if files == nil || file == "" {
		return -1
	}
	total := uint64(0)
	for _, f := range *files {
		if !fileAfter(file, f.name) {
			total += f.size
		}
	}
	return int64(total - min(total, off))
}
