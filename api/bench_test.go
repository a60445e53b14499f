package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/model/modeltest"
)

// BenchmarkHTTP measures requests over loopback from 8 connections, each waiting for its answer before it asks again, and in the
// same run a gin handler with a fixed answer of the same size, which is what HTTP itself costs here.
func BenchmarkHTTP(b *testing.B) {
	const items, visitors = 36_968, 20_000
	spec := modeltest.Random("bench", 1, visitors, items, 64)
	r := rand.New(rand.NewPCG(1, 2))
	// Items as Spark's ALS leaves them: norms log-normal, most of them small, and some directions weightier than others; a visitor is
	// the sum of some items.
	for _, row := range spec.ItemFactors {
		scale := float32(0.03 * math.Exp(r.NormFloat64()))
		for i := range row {
			row[i] *= scale / float32(math.Sqrt(float64(i+1)))
		}
	}
	for _, row := range spec.VisitorFactors {
		for range 4 {
			for i, y := range spec.ItemFactors[r.IntN(items/10)*10] {
				if len(row) > 0 {
					row[i] = row[i]*0.1 + y*20
				}
			}
		}
	}
	data := b.TempDir()
	modeltest.Write(b, filepath.Join(data, "models"), spec)
	modeltest.MakeChampion(b, filepath.Join(data, "models"), "bench")
	stop, cancel := context.WithCancel(context.Background())
	log, code := newLines(), make(chan int, 1)
	args := []string{"--addr", "127.0.0.1:0", "--data-dir", data, "--log-format", "json"}
	go func() {
		code <- run(context.Background(), stop, args, func(string) string { return "" }, io.Discard, log)
	}()
	addr := log.wait(b, "serving")["addr"].(string)
	log.wait(b, "champion loaded")

	get := func(path string) []byte { return []byte("GET " + path + " HTTP/1.1\r\nHost: bench\r\n\r\n") }
	visitor := func(i int) []byte { return get("/v1/visitors/v" + strconv.Itoa(i%visitors) + "/recommendations") }
	sample := ask(b, addr, visitor(1))
	fixed := httpFixed(b, sample)
	defer fixed.Close()
	b.Run("fixed-gin", func(b *testing.B) { closedLoop(b, fixed.Addr().String(), visitor) })
	b.Run("visitor", func(b *testing.B) { closedLoop(b, addr, visitor) })
	b.Run("popular", func(b *testing.B) {
		closedLoop(b, addr, func(int) []byte { return get("/v1/items/popular") })
	})
	b.Run("session", func(b *testing.B) {
		closedLoop(b, addr, func(i int) []byte {
			body := fmt.Sprintf(`{"items":["i%d","i%d","i%d"]}`, i%items, i*7%items, i*31%items)
			return fmt.Appendf(nil, "POST /v1/sessions/recommendations HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		})
	})
	b.Run("similar", func(b *testing.B) {
		closedLoop(b, addr, func(i int) []byte { return get("/v1/items/i" + strconv.Itoa(i%items) + "/similar") })
	})
	b.Run("fixed-gin-again", func(b *testing.B) { closedLoop(b, fixed.Addr().String(), visitor) })
	cancel()
	<-code
}

func httpFixed(b *testing.B, body []byte) net.Listener {
	e := gin.New()
	e.GET("/v1/visitors/:visitorid/recommendations", func(c *gin.Context) { c.Data(http.StatusOK, "application/json", body) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = http.Serve(listener, e) }() // ends with the listener
	return listener
}

// connection is an HTTP client that costs as little as possible, since it shares the processors with what is measured.
type connection struct {
	net.Conn
	*bufio.Reader
	body []byte
}

func dial(b *testing.B, addr string) *connection {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	return &connection{Conn: conn, Reader: bufio.NewReaderSize(conn, 16<<10)}
}

func (c *connection) roundTrip(request []byte) error {
	if _, err := c.Conn.Write(request); err != nil {
		return err
	}
	length := -1
	for first := true; ; first = false {
		line, err := c.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case first && !strings.HasPrefix(string(line), "HTTP/1.1 200"):
			return fmt.Errorf("answered %q", line)
		case len(line) == 2:
			c.body = slices.Grow(c.body[:0], length)[:length]
			_, err := io.ReadFull(c.Reader, c.body)
			return err
		case len(line) > 16 && strings.EqualFold(string(line[:16]), "Content-Length: "):
			if length, err = strconv.Atoi(strings.TrimSpace(string(line[16:]))); err != nil {
				return err
			}
		}
	}
}

func ask(b *testing.B, addr string, request []byte) []byte {
	c := dial(b, addr)
	defer c.Conn.Close()
	if err := c.roundTrip(request); err != nil {
		b.Fatal(err)
	}
	return c.body
}

func closedLoop(b *testing.B, addr string, request func(i int) []byte) {
	const connections = 8
	var (
		mu    sync.Mutex
		all   []time.Duration
		group sync.WaitGroup
	)
	b.ResetTimer()
	for worker := range connections {
		group.Go(func() {
			c := dial(b, addr)
			defer c.Conn.Close()
			took := make([]time.Duration, 0, b.N/connections+1)
			for i := worker; i < b.N; i += connections {
				r := request(i)
				begun := time.Now()
				if err := c.roundTrip(r); err != nil {
					b.Error(err)
					return
				}
				took = append(took, time.Since(begun))
			}
			mu.Lock()
			all = append(all, took...)
			mu.Unlock()
		})
	}
	group.Wait()
	b.StopTimer()
	if len(all) == 0 {
		return
	}
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}
