package main

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"cartwheel/internal/kafka"
	"cartwheel/scripts/internal/page"
)

// posts is how many events are followed in a round.
const posts = 500

// loop measures how long it takes from the start of a post at one API until another one's answer to that visitor has changed.
func (b *bench) loop(data string, requests []request) ([]page.Row, error) {
	rows := []page.Row{{Name: "from a post to another API's changed answer: p50, ms", Format: "%.1f"}, {Name: "from a post to another API's changed answer: p99, ms", Format: "%.1f"}}
	for round := range min(3, b.rounds) {
		topic := fmt.Sprintf("bench-loop-%d-%d", time.Now().UnixNano(), round)
		took, err := b.follow(data, topic, requests)
		if err != nil {
			return nil, err
		}
		slices.Sort(took)
		for i, d := range []time.Duration{took[len(took)/2], took[len(took)*99/100]} {
			rows[i].Values = append(rows[i].Values, float64(d.Microseconds())/1000)
		}
	}
	return rows, nil
}

// follow posts events of one new visitor after the other at one API, while another one answers others, and asks that one until it knows
// the visitor.
func (b *bench) follow(data, topic string, requests []request) (took []time.Duration, err error) {
	client, err := kafka.Open(b.ctx, kafka.Config{Servers: b.servers, Protocol: "PLAINTEXT"})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := client.CreateTopic(b.ctx, topic, partitions, 1); err != nil {
		return nil, err
	}
	var apis [2]*process
	for i := range apis {
		if apis[i], err = b.api(data, "--bootstrap-servers", b.servers, "--topic", topic, "--erasures-topic", topic+"-erasures"); err != nil {
			return nil, err
		}
		defer apis[i].stop()
		if _, err := apis[i].wait("live history read"); err != nil {
			return nil, err
		}
	}
	done, others := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := openLoop(apis[1].addr, 500, 5*time.Minute, done, requests, nil)
		others <- err
	}()
	for i := range posts {
		visitor := fmt.Sprintf("new-%d", i)
		begun := time.Now()
		if err = post(apis[0].addr, fmt.Sprintf(`{"visitorid":%q,"event":"view","itemid":%q}`, visitor, b.shop.spec.Items[b.shop.item()])); err == nil {
			err = known(apis[1].addr, visitor)
		}
		if err != nil {
			break
		}
		took = append(took, time.Since(begun))
	}
	close(done)
	if failed := <-others; err == nil {
		err = failed
	}
	return took, err
}

// post sends an event, and returns once it is acknowledged.
func post(addr, body string) error {
	response, err := http.Post("http://"+addr+"/v1/events", "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("an event is answered %s", response.Status)
	}
	return nil
}

// known returns once an API's answer to a visitor goes by the visitor's clicks.
func known(addr, visitor string) error {
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		answer, err := ask(addr, request{path: "/v1/visitors/" + visitor + "/recommendations"})
		if err != nil || bytes.Contains(answer, []byte(`"strategy":"session"`)) {
			return err
		}
		if time.Since(begun) > time.Minute {
			return fmt.Errorf("a minute after the post, visitor %s is still unknown", visitor)
		}
	}
}
