package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const sampleEvery = 5 * time.Second

// sample is what one program looked like at one moment.
type sample struct {
	at         float64 // minutes after the start
	heap       float64 // MB, what the last garbage collection has left
	resident   float64 // MB
	goroutines float64
	loads      float64 // versions that the API has loaded
}

// behind is how far the readers of the topic were behind what Kafka has acknowledged, in events.
type behind struct{ at, files, live float64 }

// watcher samples the programs until it is stopped.
type watcher struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	series map[string][]sample
	behind []behind
}

func (p *programs) watch(ctx context.Context) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{cancel: cancel, series: map[string][]sample{}}
	w.done.Go(func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		last := map[string]map[string]float64{} // of each program, as it was when it last answered
		for {
			at := time.Since(p.soak.start).Minutes()
			for _, one := range p.list {
				figures, err := scrape(ctx, one.metrics)
				if err != nil {
					continue
				}
				last[one.name] = figures
				w.series[one.name] = append(w.series[one.name], sample{at: at, heap: figures["go_gc_heap_live_bytes"] / 1e6,
					resident: figures["process_resident_memory_bytes"] / 1e6, goroutines: figures["go_goroutines"], loads: figures["cartwheel_model_loads_total"]})
			}
			if ctx.Err() != nil {
				return
			}
			acknowledged := last["producer"]["cartwheel_producer_events_acknowledged_total"] + last["api"]["cartwheel_events_written_total"]
			w.behind = append(w.behind, behind{at, max(0, acknowledged-last["consumer"]["cartwheel_consumer_events_published_total"]), last["api"]["cartwheel_live_lag_records"]})
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	})
	return w
}

func (w *watcher) stop() { w.cancel(); w.done.Wait() }

// scrape reads a program's figures; those that differ only in labels are added up.
func scrape(ctx context.Context, addr string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", addr, answer.Status)
	}
	figures := map[string]float64{}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		line := lines.Text()
		space := strings.LastIndexByte(line, ' ')
		if space < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(line[space+1:], 64); err == nil {
			name, _, _ := strings.Cut(line[:space], "{")
			figures[name] += v
		}
	}
	return figures, lines.Err()
}

// ask tells whether an address answers with 200.
func ask(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode == http.StatusOK
}
