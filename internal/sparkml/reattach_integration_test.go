//go:build integration

package sparkml_test

import (
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"

	"cartwheel/internal/spark"
	"cartwheel/internal/sparkml"
)

// proxy stands between the client and the server, and can break all connections.
type proxy struct {
	net.Listener
	mu    sync.Mutex
	open  []net.Conn
	count int
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	p := &proxy{Listener: must(net.Listen("tcp", "127.0.0.1:0"))(t)}
	var copying sync.WaitGroup
	copying.Go(func() {
		for {
			client, err := p.Accept()
			if err != nil {
				return // closed
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			p.mu.Lock()
			p.open = append(p.open, client, upstream)
			p.count++
			p.mu.Unlock()
			copying.Go(func() { _, _ = io.Copy(upstream, client); upstream.Close() })
			copying.Go(func() { _, _ = io.Copy(client, upstream); client.Close() })
		}
	})
	t.Cleanup(func() {
		p.Close()
		p.breakAll()
		copying.Wait()
	})
	return p
}

// breakAll resets every connection, without any farewell, and tells whether there was one.
func (p *proxy) breakAll() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := len(p.open) > 0
	for _, c := range p.open {
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	p.open = nil
	return found
}

func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// TestFitSurvivesBrokenConnections breaks the TCP connection while jobs of a fit run, three times, and sees the fit end well.
func TestFitSurvivesBrokenConnections(t *testing.T) {
	t.Parallel()
	remote := must(url.Parse(os.Getenv("SPARK_REMOTE")))(t)
	p := newProxy(t, remote.Host)
	s := must(spark.Connect(t.Context(), "sc://"+p.Addr().String()))(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the session: %v", err)
		}
	})
	// The server reports every two seconds. The task sleeps for four, so that reports must come while it runs, and leaves a core to other tests.
	ratings := must(s.Sql(t.Context(), `SELECT CAST(id % 20 AS int) user, CAST(id % 10 AS int) item,
		IF(java_method('java.lang.Thread', 'sleep', 20L) IS NULL, 1.0f, 1.0f) rating FROM range(0, 200, 1, 1)`))(t)
	als := sparkml.NewALS()
	als.MaxIter, als.NumUserBlocks, als.NumItemBlocks = 2, 2, 2
	broken := 0
	ctx := spark.WithProgress(t.Context(), func(progress spark.Progress) {
		if progress.InFlight > 0 && broken < 3 && p.breakAll() {
			broken++
		}
	})
	model, err := als.Fit(ctx, s, ratings)
	if err != nil {
		t.Fatalf("after %d broken connections: %v", broken, err)
	}
	if broken == 0 || p.connections() < 1+broken {
		t.Fatalf("%d connections broken, %d made: nothing was put to the test", broken, p.connections())
	}
	if n := must(must(model.UserFactors(t.Context()))(t).Count(t.Context()))(t); n != 20 {
		t.Errorf("factors of %d users", n)
	}
	t.Logf("%d connections broken during the fit", broken)
}
