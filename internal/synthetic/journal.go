package synthetic

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
)

// header is the first line of events.csv.
const header = "timestamp,visitorid,event,itemid,transactionid\n"

// disorder is the most by which a row can come after a later one, in milliseconds.
const disorder = 30 * 60_000

// writerLag is how long each of the shop's servers collects rows before it writes them to the common log, in milliseconds. One
// visitor stays with one server, so that their own rows stay in order.
var writerLag = [4]int64{20_000, 2 * 60_000, 10 * 60_000, disorder}

// row is one line of events.csv.
type row struct {
	timestamp     int64
	visitor, item int32
	kind          string
	order         int32 // 0 unless a transaction
}

// journal is the log that several servers write: each one's rows are in order of time, the whole is not quite.
type journal struct {
	ctx      context.Context
	out      *bufio.Writer
	progress func(rows int)
	servers  [len(writerLag)]server
	rows     int
	err      error // the first; nothing is written after it
}

type server struct {
	lines []byte
	due   int64 // when they will be written; 0 when there are none
}

func newJournal(ctx context.Context, w io.Writer, progress func(rows int)) *journal {
	j := &journal{ctx: ctx, out: bufio.NewWriterSize(w, 1<<18), progress: progress}
	_, j.err = j.out.WriteString(header)
	return j
}

// add takes the next row in order of time, of a visitor who was the arrival-th to come.
func (j *journal) add(arrival int32, r row) {
	j.writeDue(r.timestamp)
	i := int(arrival) % len(writerLag)
	s := &j.servers[i]
	if s.due == 0 {
		s.due = r.timestamp + writerLag[i]
	}
	b := strconv.AppendInt(s.lines, r.timestamp, 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(r.visitor), 10)
	b = append(b, ',')
	b = append(b, r.kind...)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(r.item), 10)
	b = append(b, ',')
	if r.order > 0 {
		b = strconv.AppendInt(b, int64(r.order), 10)
	}
	s.lines = append(b, '\n')
	j.rows++
	if j.rows%(1<<14) == 0 {
		if j.err == nil && j.ctx.Err() != nil {
			j.err = context.Cause(j.ctx)
		}
		if j.progress != nil {
			j.progress(j.rows)
		}
	}
}

// writeDue writes what is due by now, the longest due first.
func (j *journal) writeDue(now int64) {
	for {
		var first *server
		for i := range j.servers {
			if s := &j.servers[i]; s.due != 0 && s.due <= now && (first == nil || s.due < first.due) {
				first = s
			}
		}
		if first == nil {
			return
		}
		if j.err == nil {
			_, j.err = j.out.Write(first.lines)
		}
		first.lines, first.due = first.lines[:0], 0
	}
}

func (j *journal) close() error {
	j.writeDue(Last + 2*disorder)
	if j.err == nil {
		j.err = j.out.Flush()
	}
	if j.err != nil {
		return fmt.Errorf("writing events: %w", j.err)
	}
	return nil
}
