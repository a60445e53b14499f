package spark

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/apache/spark-connect-go/v40/spark/client/channel"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// maxMessage bounds one message of the server; an Arrow batch is at most 4 MiB by Spark's default, its envelope a little more.
const maxMessage = 64 << 20

// builder makes the one gRPC connection of a session. Every call, spark-connect-go's and ours, passes its interceptors, which see
// the session's id (the library does not tell it), report progress and interrupt on the server what the client has given up.
type builder struct {
	*channel.BaseBuilder
	conn *grpc.ClientConn

	mu sync.Mutex
	id string

	announcing sync.Mutex
	announced  string // the description that the session's configuration holds

	releasing sync.WaitGroup // calls that free executions which have ended
}

// Build is called by spark-connect-go. It differs from the library's own in its interceptors, in the size of messages, in keepalive
// (a server that vanished without a word is noticed), and in sending the headers and the token with every call, unary ones too.
func (b *builder) Build(context.Context) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if b.Token() != "" {
		transport = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient("dns:///"+net.JoinHostPort(b.Host(), strconv.Itoa(b.Port())),
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 6 * time.Minute, Timeout: 20 * time.Second}),
		grpc.WithChainUnaryInterceptor(b.unary),
		grpc.WithChainStreamInterceptor(b.stream))
	b.conn = conn
	return conn, err
}

func (b *builder) sessionID() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.id
}

func (b *builder) notice(request any) {
	if r, ok := request.(interface{ GetSessionId() string }); ok && r.GetSessionId() != "" {
		b.mu.Lock()
		b.id = r.GetSessionId()
		b.mu.Unlock()
	}
}

// outgoing adds the connection string's headers and token.
func (b *builder) outgoing(ctx context.Context) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx)
	md = md.Copy()
	if md == nil {
		md = metadata.MD{}
	}
	for k, v := range b.Headers() {
		md.Set(k, v)
	}
	if b.Token() != "" {
		md.Set("authorization", "Bearer "+b.Token())
	}
	return metadata.NewOutgoingContext(ctx, md)
}

func (b *builder) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	b.notice(req)
	return invoke(b.outgoing(ctx), method, req, reply, cc, opts...)
}

func (b *builder) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	description := descriptionFrom(ctx)
	b.announce(ctx, description)
	reopen := func(method string) (grpc.ClientStream, error) {
		return open(b.outgoing(ctx), desc, cc, method, opts...)
	}
	s, err := reopen(method)
	if err != nil {
		return nil, err
	}
	if method == service+"ExecutePlan" {
		s = &execution{ClientStream: s, ctx: ctx, builder: b, open: reopen}
	}
	return &watched{ClientStream: s, ctx: ctx, builder: b, report: progressFrom(ctx), description: description}, nil
}

// watched is the stream of one execution's answers.
type watched struct {
	grpc.ClientStream
	ctx         context.Context // the caller's: the stream's own ends with the stream
	builder     *builder
	report      func(Progress)
	description string
	operation   string
}

func (w *watched) SendMsg(m any) error {
	w.builder.notice(m)
	if request, ok := m.(proto.Message); ok {
		describe(request, w.description)
	}
	err := w.ClientStream.SendMsg(m)
	if r, ok := m.(interface{ GetOperationId() string }); ok { // sending has given it one
		w.operation = r.GetOperationId()
	}
	return err
}

func (w *watched) RecvMsg(m any) error {
	err := w.ClientStream.RecvMsg(m)
	switch {
	case err == nil:
		if message, ok := m.(proto.Message); ok && w.report != nil {
			if p, ok := readProgress(message); ok {
				w.report(p)
			}
		}
	case !errors.Is(err, io.EOF) && w.ctx.Err() != nil:
		w.interrupt()
	}
	return err
}

// interrupt stops on the server what this stream ran: a client that goes away does not stop it by itself.
func (w *watched) interrupt() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request := fields{"interruptType": "INTERRUPT_TYPE_ALL"}
	if w.operation != "" {
		request = fields{"interruptType": "INTERRUPT_TYPE_OPERATION_ID", "operationId": w.operation}
	}
	s := &Session{builder: w.builder}
	_, _ = s.call(ctx, "Interrupt", request) // the cancellation is the error that the caller hears of
}

// Progress is how far one execution has come.
type Progress struct {
	Stages    int   // stages known so far
	Tasks     int64 // tasks of these stages
	Completed int64 // of them, completed
	InFlight  int64 // of them, running now
}

// String is a line for people.
func (p Progress) String() string {
	return fmt.Sprintf("%d/%d tasks in %d stages", p.Completed, p.Tasks, p.Stages)
}

type progressKey struct{}

// WithProgress has report called, from the goroutine that waits for the execution, each time the server tells of progress of an
// execution under the returned context.
func WithProgress(ctx context.Context, report func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, report)
}

func progressFrom(ctx context.Context) func(Progress) {
	report, _ := ctx.Value(progressKey{}).(func(Progress))
	return report
}

func isProgress(m proto.Message) bool {
	_, ok := field(m.ProtoReflect(), "execution_progress")
	return ok
}

func isEnd(m proto.Message) bool {
	_, ok := field(m.ProtoReflect(), "result_complete")
	return ok
}

func readProgress(m proto.Message) (Progress, bool) {
	v, ok := field(m.ProtoReflect(), "execution_progress")
	if !ok {
		return Progress{}, false
	}
	var p Progress
	if n, ok := field(v.Message(), "num_inflight_tasks"); ok {
		p.InFlight = n.Int()
	}
	stages, ok := field(v.Message(), "stages")
	if !ok {
		return p, true
	}
	p.Stages = stages.List().Len()
	for i := range p.Stages {
		stage := stages.List().Get(i).Message()
		if n, ok := field(stage, "num_tasks"); ok {
			p.Tasks += n.Int()
		}
		if n, ok := field(stage, "num_completed_tasks"); ok {
			p.Completed += n.Int()
		}
	}
	return p, true
}
