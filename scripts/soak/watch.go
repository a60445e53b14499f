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
	lag        float64 // records that are in the topic and were not yet read
	loads      float64 // versions that the API has loaded
}

// watcher samples the programs until it is stopped.
type watcher struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	series map[string][]sample
}

func (p *programs) watch(ctx context.Context) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{cancel: cancel, series: map[string][]sample{}}
	for _, one := range p.list {
		w.done.Go(func() {
			tick := time.NewTicker(sampleEvery)
			defer tick.Stop()
			for {
				if figures, err := scrape(ctx, one.metrics); err == nil {
					w.mu.Lock()
					w.series[one.name] = append(w.series[one.name], sample{at: time.Since(p.soak.start).Minutes(), heap: figures["go_gc_heap_live_bytes"] / 1e6,
						resident: figures["process_resident_memory_bytes"] / 1e6, goroutines: figures["go_goroutines"],
						lag: figures["cartwheel_consumer_lag_records"] + figures["cartwheel_live_lag_records"], loads: figures["cartwheel_model_loads_total"]})
					w.mu.Unlock()
				}
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	return w
}

func (w *watcher) stop() { w.cancel(); w.done.Wait() }

func (w *watcher) all() map[string][]sample { return w.series }

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
