// Package status looks at a running Cartwheel from outside: at the topic and its consumers, at the batch files, at the versions, and
// puts what it finds into one answer for people.
//
// It promises to be cheap and bounded however often it is asked: offsets and file names are read, never events; of rejects and dead
// letters the newest. It changes nothing, and a part that cannot be looked at is told with the reason, beside the others. It judges
// no more than what to do next.
package status

import "time"

// Status is how things stand at one moment.
type Status struct {
	At          time.Time `json:"at"`
	Topic       Topic     `json:"topic"`
	Consumer    Consumer  `json:"consumer"`
	Batches     Batches   `json:"batches"`
	Training    Training  `json:"training"`
	Models      Models    `json:"models"`
	API         API       `json:"api"`
	Rejected    Refused   `json:"rejected"`     // rows of sources, by the producer
	DeadLetters Refused   `json:"dead_letters"` // records of the topic, by the consumer
	Next        []Step    `json:"next"`
}

// Topic is the topic of events.
type Topic struct {
	Name       string   `json:"name"`
	Configured bool     `json:"configured"` // a broker is
	Exists     bool     `json:"exists"`
	Partitions int      `json:"partitions"`
	Held       int64    `json:"held"`       // records that it holds
	Written    int64    `json:"written"`    // records ever written: the sum of the end offsets
	PerSecond  *float64 `json:"per_second"` // records written, over the last seconds; null before the second look
	Error      string   `json:"error,omitempty"`
}

// Consumer is the group that writes batch files.
type Consumer struct {
	Group     string   `json:"group"`
	Members   int      `json:"members"`
	Committed int64    `json:"committed"` // records: the sum of the committed offsets
	Lag       int64    `json:"lag"`       // records behind the topic's end
	PerSecond *float64 `json:"per_second"`
	Error     string   `json:"error,omitempty"`
}

// Batches are the batch files.
type Batches struct {
	Files   int        `json:"files"`
	Offsets int64      `json:"offsets"` // that their names cover
	Last    *BatchFile `json:"last"`
	Error   string     `json:"error,omitempty"`
}

// BatchFile is one of them.
type BatchFile struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
	Rows *int64    `json:"rows"` // null where the file is too large to count them
}

// Training is what is trained and what could be.
type Training struct {
	Since     *time.Time `json:"since"`      // when the one under way began; null if none is
	NewEvents int64      `json:"new_events"` // offsets in batch files that the newest version was not made from
	Last      *Trained   `json:"last"`       // the newest version
}

// Trained is how a training ended.
type Trained struct {
	Version  string    `json:"version"`
	Began    time.Time `json:"began"`
	Seconds  float64   `json:"seconds,omitempty"` // 0 in versions of programs that did not note it
	Events   int64     `json:"events"`
	Promoted bool      `json:"promoted"`
	Reason   string    `json:"reason,omitempty"`
}

// Models are the versions on disk.
type Models struct {
	Versions int    `json:"versions"`
	Damaged  int    `json:"damaged"`            // folders that are no sound version
	Champion string `json:"champion,omitempty"` // that LATEST names
	Previous string `json:"previous,omitempty"` // that a rollback goes back to
	Error    string `json:"error,omitempty"`
}

// API is the server that was asked.
type API struct {
	Ready          bool     `json:"ready"`
	Detail         string   `json:"detail,omitempty"` // why it is not, or why it does not serve the champion
	Version        string   `json:"version,omitempty"`
	UptimeSeconds  float64  `json:"uptime_seconds"`
	Requests       int64    `json:"requests"` // answered since the start
	Failed         int64    `json:"failed"`   // of these with 5xx, but for probes of readiness
	PerSecond      *float64 `json:"per_second"`
	LiveEvents     int64    `json:"live_events"` // that the live history has taken in
	LiveLagSeconds float64  `json:"live_lag_seconds"`
}

// Refused counts what could not be understood.
type Refused struct {
	Total   int64    `json:"total"`
	Read    int64    `json:"read"` // of these whose reasons are counted: the newest
	Reasons []Reason `json:"reasons"`
	Where   string   `json:"where"` // the topic or the files
	Error   string   `json:"error,omitempty"`
}

// Reason is a rule that was broken, and how often.
type Reason struct {
	Rule  string `json:"rule"`
	Count int64  `json:"count"`
}

// Step is something to do, with the command that does it.
type Step struct {
	What    string `json:"what"`
	Command string `json:"command"`
}
