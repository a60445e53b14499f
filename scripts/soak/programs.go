package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// programs are the Go programs under test.
type programs struct {
	soak *soak
	list []*program
}

type program struct {
	name    string
	metrics string // address
	args    []string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when it has ended
	failed  error
}

func (s *soak) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = s.root, s.environment()
	cmd.Stdout, cmd.Stderr = s.log, s.log
	return cmd
}

func (s *soak) bin(name string) string { return filepath.Join(s.dir, "bin", name) }

func (s *soak) runtime(ctx context.Context, command, group string) error {
	if err := s.command(ctx, "scripts/runtime", command, group).Run(); err != nil {
		return fmt.Errorf("scripts/runtime %s %s: %w", command, group, err)
	}
	return nil
}

// stopRecorded ends a process that scripts/runtime has started, and waits for its end.
func (s *soak) stopRecorded(name string) error {
	record, err := os.ReadFile(filepath.Join(s.dir, "runtime", "run", name))
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(record), " ")
	pid, err := strconv.Atoi(first)
	if err != nil || pid <= 1 {
		return fmt.Errorf("the record of %s names no process", name)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping %s: %w", name, err)
	}
	return s.wait(time.Minute, name+" has ended", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
}

// wait waits until something holds.
func (s *soak) wait(most time.Duration, what string, holds func() bool) error {
	for deadline := time.Now().Add(most); !holds(); {
		if time.Now().After(deadline) {
			return fmt.Errorf("after %s still not: %s", most, what)
		}
		select {
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

// prepare builds the programs, brings the runtime up, and leaves a champion that was trained on the first batch files.
func (s *soak) prepare() (_ *programs, err error) {
	if err := s.steps([][]string{
		{"go", "build", "-o", filepath.Join(s.dir, "bin") + "/", "./producer", "./consumer", "./api", "./sparkjobs/train", "./scripts/generate"},
		{"scripts/runtime", "up"},
		{s.bin("generate"), "--events", strconv.Itoa(shopEvents), "--out", s.file("generated")},
	}); err != nil {
		return nil, err
	}
	if s.shop, err = s.makeShop(); err != nil {
		return nil, err
	}
	if err := s.steps([][]string{{s.bin("producer"), "--file", s.file("history")}, {s.bin("consumer"), "--idle-timeout", "3s"}, {s.bin("train"), "--force"}}); err != nil {
		return nil, err
	}
	return &programs{soak: s, list: []*program{
		{name: "api", metrics: s.port(8), args: []string{"--addr", s.port(8), "--live-visitors", strconv.Itoa(liveVisitors)}},
		{name: "consumer", metrics: s.port(9), args: []string{"--follow", "--metrics-addr", s.port(9)}},
		{name: "train", metrics: s.port(10), args: []string{"--every", s.trainEvery().String(), "--force", "--min-new-events", "5000", "--metrics-addr", s.port(10)}},
		{name: "producer", metrics: s.port(11), args: []string{"--file", s.file("replay"), "--speed", strconv.FormatFloat(s.speed(), 'f', 0, 64), "--metrics-addr", s.port(11)}},
	}}, nil
}

// steps runs commands, one after the other.
func (s *soak) steps(list [][]string) error {
	for _, step := range list {
		s.tell("%s %s", filepath.Base(step[0]), strings.Join(step[1:], " "))
		if err := s.command(s.ctx, step[0], step[1:]...).Run(); err != nil {
			return fmt.Errorf("%s: %w", step[0], err)
		}
	}
	return nil
}

// liveVisitors bounds the API's live history, so that the shop's visitors fill it at once.
const liveVisitors = 5_000

// trainEvery is the pause between trainings. On two cores a training of this shop takes about two minutes beside the load, so that in a
// run of 30 minutes there is one about every five.
func (s *soak) trainEvery() time.Duration { return time.Duration(s.minutes*6) * time.Second }

func (s *soak) file(name string) string { return filepath.Join(s.dir, "raw", name, "events.csv") }

func (p *programs) api() string { return "http://" + p.list[0].metrics }

// begin starts the programs, each with a log of its own, and waits until they answer.
func (p *programs) begin() error {
	for _, one := range p.list {
		log, err := os.Create(filepath.Join(p.soak.dir, one.name+".log"))
		if err != nil {
			return err
		}
		one.cmd = p.soak.command(context.Background(), p.soak.bin(one.name), one.args...)
		one.cmd.Stdout, one.cmd.Stderr = log, log
		one.ended = make(chan struct{})
		err = one.cmd.Start()
		_ = log.Close()
		if err != nil {
			return fmt.Errorf("starting %s: %w", one.name, err)
		}
		go func() { one.failed = one.cmd.Wait(); close(one.ended) }()
	}
	return p.soak.wait(2*time.Minute, "the API is ready, and all serve their metrics", func() bool {
		ready := ask(p.soak.ctx, p.api()+"/readyz")
		for _, one := range p.list {
			ready = ready && ask(p.soak.ctx, "http://"+one.metrics+"/metrics")
		}
		return ready
	})
}

// end waits until the producer is done and the consumer has read everything, and stops the rest. What has ended before, or does not end
// with 0, is told on the page.
func (p *programs) end(posted int) error {
	s, producer := p.soak, p.list[3]
	s.tell("waiting for the end of the replay")
	select {
	case <-producer.ended:
	case <-time.After(5 * time.Minute):
		s.fail("the producer had not ended five minutes after the run")
		_ = producer.cmd.Process.Signal(syscall.SIGTERM)
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
	want := float64(returns*shopEvents + posted)
	if err := s.wait(2*time.Minute, fmt.Sprintf("the consumer has published %.0f events", want), func() bool {
		figures, err := scrape(s.ctx, p.list[1].metrics)
		return err == nil && figures["cartwheel_consumer_events_published_total"] >= want
	}); err != nil {
		s.tell("%v", err) // the count of what is in the files says how many are lost
	}
	for _, one := range p.list[:3] {
		select {
		case <-one.ended:
			s.fail("%s had ended before it was told to", one.name)
		default:
			_ = one.cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	for _, one := range p.list {
		select {
		case <-one.ended:
			if one.failed != nil {
				s.fail("%s ended with %v", one.name, one.failed)
			}
		case <-time.After(2 * time.Minute):
			s.fail("%s did not end within two minutes when it was told to", one.name)
		}
	}
	return nil
}

// kill ends what still runs.
func (p *programs) kill() {
	for _, one := range p.list {
		if one.cmd != nil && one.cmd.Process != nil {
			_ = one.cmd.Process.Kill()
			<-one.ended
		}
	}
}
