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
func (s *soak) prepare() (*programs, error) {
	steps := []struct {
		name string
		args []string
	}{
		{"go", []string{"build", "-o", filepath.Join(s.dir, "bin") + "/", "./producer", "./consumer", "./api", "./sparkjobs/train", "./scripts/generate"}},
		{"scripts/runtime", []string{"up"}},
		{s.bin("generate"), []string{"--events", strconv.Itoa(historyEvents), "--seed", "1", "--out", s.file("history")}},
		{s.bin("generate"), []string{"--events", strconv.Itoa(s.events), "--seed", "2", "--out", s.file("replay")}},
		{s.bin("producer"), []string{"--file", s.file("history")}},
		{s.bin("consumer"), []string{"--idle-timeout", "3s"}},
		{s.bin("train"), nil},
	}
	for _, step := range steps {
		s.tell("%s %s", filepath.Base(step.name), strings.Join(step.args, " "))
		if err := s.command(s.ctx, step.name, step.args...).Run(); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	speed, err := s.speed()
	if err != nil {
		return nil, err
	}
	return &programs{soak: s, list: []*program{
		{name: "api", metrics: s.port(8), args: []string{"--addr", s.port(8)}},
		{name: "consumer", metrics: s.port(9), args: []string{"--follow", "--flush-interval", "5s", "--metrics-addr", s.port(9)}},
		{name: "train", metrics: s.port(10), args: []string{"--every", trainEvery.String(), "--min-new-events", "5000", "--metrics-addr", s.port(10)}},
		{name: "producer", args: []string{"--file", s.file("replay"), "--speed", strconv.FormatFloat(speed, 'f', 0, 64)}},
	}}, nil
}

func (s *soak) file(name string) string { return filepath.Join(s.dir, "raw", name, "events.csv") }

func (p *programs) api() string { return "http://" + p.list[0].metrics }

// begin starts the programs, each with a log of its own, and waits until those that run on answer.
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
	return p.soak.wait(2*time.Minute, "the API is ready, and the others serve their metrics", func() bool {
		ready := ask(p.soak.ctx, p.api()+"/readyz")
		for _, one := range p.list[:3] {
			ready = ready && ask(p.soak.ctx, "http://"+one.metrics+"/metrics")
		}
		return ready
	})
}

// alive says which program has ended that should not have.
func (p *programs) alive() error {
	for _, one := range p.list[:3] {
		select {
		case <-one.ended:
			return fmt.Errorf("%s has ended (%v); its log is %s", one.name, one.failed, filepath.Join(p.soak.dir, one.name+".log"))
		default:
		}
	}
	return nil
}

// end waits until the producer is done and the consumer has read everything, and stops the rest. Each must end with 0.
func (p *programs) end(posted int) error {
	if err := p.alive(); err != nil {
		return err
	}
	producer := p.list[3]
	p.soak.tell("waiting for the end of the replay")
	select {
	case <-producer.ended:
	case <-time.After(5 * time.Minute):
		return errors.New("the producer does not end")
	case <-p.soak.ctx.Done():
		return context.Cause(p.soak.ctx)
	}
	want := float64(p.soak.events + posted)
	err := p.soak.wait(2*time.Minute, fmt.Sprintf("the consumer has published %.0f events", want), func() bool {
		figures, err := scrape(p.soak.ctx, p.list[1].metrics)
		return err == nil && figures["cartwheel_consumer_events_published_total"] >= want
	})
	if err != nil {
		p.soak.tell("%v", err) // the count of what is in the files says how many are lost
	}
	for _, one := range p.list[:3] {
		_ = one.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, one := range p.list {
		select {
		case <-one.ended:
		case <-time.After(2 * time.Minute):
			return fmt.Errorf("%s does not end", one.name)
		}
		if one.failed != nil {
			return fmt.Errorf("%s ended with %w; its log is %s", one.name, one.failed, filepath.Join(p.soak.dir, one.name+".log"))
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
