package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/model"
	"cartwheel/internal/recommend"
	"cartwheel/scripts/internal/page"
)

// sessions measures answers to sessions, and the live history.
func (b *bench) sessions() (*page.Page, error) {
	if b.servers == "" {
		return nil, fmt.Errorf("KAFKA_BOOTSTRAP_SERVERS is not set: make bench-sessions starts a broker and sets it")
	}
	p := page.New("Sessions and the live history, measured", "make bench-sessions", b.load)
	data := filepath.Join(b.dir, "data")
	kernel, err := b.kernel(data)
	if err != nil {
		return nil, err
	}
	api, err := b.api(data)
	if err != nil {
		return nil, err
	}
	usual, short, long := make([]request, 5000), make([]request, 5000), make([]request, 5000)
	for i := range short {
		usual[i] = request{"/v1/sessions/recommendations", b.shop.session(b.shop.usualLength())}
		short[i] = request{"/v1/sessions/recommendations", b.shop.session(1 + b.shop.dice.IntN(5))}
		long[i] = request{"/v1/sessions/recommendations", b.shop.session(20)}
	}
	compared, err := b.compare(usual, []asked{{"a session as long as RetailRocket's", api, usual}, {"a session of 1 to 5 items", api, short}, {"a session of 20 items", api, long}})
	var open []page.Row
	if err == nil {
		open, err = b.open(api, usual)
	}
	api.stop()
	if err != nil {
		return nil, err
	}
	p.Section("Answers", fmt.Sprintf(`The API, a gin handler that reads the body and gives a fixed answer of the same length, and the load share the machine. The version: %d visitors, %d items,
rank %d, made like one that was trained on RetailRocket's events, its blend of sessions too. 10 items are asked for. 8 connections, each of which waits for its answer, %s for each figure;
"of the fixed" compares with the fixed answer of the same round. "In process" is without HTTP, on one goroutine.`, len(b.shop.spec.Visitors), len(b.shop.spec.Items), rank, b.span))
	p.Table(append(append([]page.Row{kernel}, compared...), open...))
	if err := rates(p, "sessions", compared); err != nil {
		return nil, err
	}

	live, err := b.live(data, usual)
	if err != nil {
		return nil, err
	}
	p.Section("Live history", fmt.Sprintf(`An API that starts reads a topic of %d events of some %d visitors (Kafka on the same machine, 6 partitions, a new topic each round), while 500 sessions a second are answered. The rate
counts from the start of the process, the loading of the version included. Bytes a visitor are
the API's own reckoning, which its bound goes by; `+"`go test -run xxx -bench BytesPerVisitor ./internal/live`"+` holds that against the memory in use.`, b.events, b.events/eventsPerVisitor))
	p.Table(live)

	loop, err := b.loop(data, usual)
	if err != nil {
		return nil, err
	}
	p.Section("From a click to what another API answers", fmt.Sprintf(`Two APIs follow a topic. One new visitor after the other, %d a round, has an event posted at the first, which answers when Kafka has acknowledged it; the second, which
answers 500 sessions a second meanwhile, is asked each millisecond until its answer to that visitor goes by the click.`, posts))
	p.Table(loop)
	return p, nil
}

// kernel measures the answer to a session of 20 items without HTTP.
func (b *bench) kernel(data string) (page.Row, error) {
	row := page.Row{Name: "in process, a session of 20 items, µs", Format: "%.1f"}
	v, err := model.Load(filepath.Join(data, "models", "bench"))
	if err != nil {
		return row, err
	}
	r := recommend.New(v)
	all := make([][]recommend.Click, 1000)
	for i := range all {
		var body struct{ Items []string }
		if err := json.Unmarshal([]byte(b.shop.session(20)), &body); err != nil {
			return row, err
		}
		for _, item := range body.Items {
			all[i] = append(all[i], recommend.Click{ItemID: item, Event: event.View})
		}
	}
	for range b.rounds {
		n, begun := 0, time.Now()
		for ; time.Since(begun) < b.span; n++ {
			r.Session(all[n%len(all)], recommend.Options{Limit: 10, IncludeSeen: true})
		}
		row.Values = append(row.Values, float64(time.Since(begun).Microseconds())/float64(n))
	}
	return row, nil
}

const (
	partitions       = 6
	eventsPerVisitor = 5
)

// live measures the intake of the live history.
func (b *bench) live(data string, requests []request) ([]page.Row, error) {
	rows := []page.Row{{Name: "events/s taken in", Format: "%.0f"}, {Name: "meanwhile p50, ms", Format: "%.2f"}, {Name: "meanwhile p99, ms", Format: "%.2f"},
		{Name: "bytes a visitor", Format: "%.0f"}}
	for round := range min(3, b.rounds) {
		topic := fmt.Sprintf("bench-live-%d-%d", time.Now().UnixNano(), round)
		if err := b.fill(topic); err != nil {
			return nil, err
		}
		api, err := b.api(data, "--bootstrap-servers", b.servers, "--topic", topic, "--erasures-topic", topic+"-erasures")
		if err != nil {
			return nil, err
		}
		read, failed := make(chan struct{}), make(chan error, 1)
		var line map[string]any
		go func() {
			var err error
			line, err = api.wait("live history read")
			failed <- err
			close(read)
		}()
		f, err := openLoop(api.addr, 500, 3*time.Minute, read, requests, nil)
		if waited := <-failed; err == nil {
			err = waited
		}
		api.stop()
		if err != nil {
			return nil, err
		}
		of := func(name string) float64 { return line[name].(float64) }
		for i, v := range []float64{of("events") / of("seconds"), f.p50, f.p99, of("bytes") / of("visitors")} {
			rows[i].Values = append(rows[i].Values, v)
		}
	}
	return rows, nil
}

// fill writes the events into a new topic.
func (b *bench) fill(topic string) error {
	client, err := kafka.Open(b.ctx, kafka.Config{Servers: b.servers, Protocol: "PLAINTEXT"})
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.CreateTopic(b.ctx, topic, partitions, 1); err != nil {
		return err
	}
	producer, err := client.NewProducer(b.ctx, topic, partitions)
	if err != nil {
		return err
	}
	var batches [partitions]kafka.Batch
	send := func(p int) error {
		if batches[p].Count() == 0 {
			return nil
		}
		if err := batches[p].Seal(0); err != nil {
			return err
		}
		defer batches[p].Reset()
		return producer.Send(b.ctx, p, &batches[p])
	}
	now := time.Now().UnixMilli()
	for i := range b.events {
		e := event.Event{Timestamp: now - int64(b.events-i)/1000, VisitorID: strconv.Itoa(b.shop.dice.IntN(b.events / eventsPerVisitor)), Event: event.View,
			ItemID: b.shop.spec.Items[b.shop.item()], EventID: fmt.Sprintf("%s-%d", topic, i)}
		p := kafka.Partition([]byte(e.VisitorID), partitions)
		batches[p].Append(now, []byte(e.VisitorID), event.AppendJSON(nil, &e))
		if batches[p].Bytes() > 500<<10 {
			if err := send(p); err != nil {
				return fmt.Errorf("filling the topic: %w", err)
			}
		}
	}
	for p := range batches {
		if err := send(p); err != nil {
			return fmt.Errorf("filling the topic: %w", err)
		}
	}
	return nil
}
