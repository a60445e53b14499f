package spark

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// execution is the stream of one ExecutePlan's answers, which outlives the connection: the server keeps what it has sent last, and goes
// on with the work for minutes, so that a stream that broke, or that the server ended for its age (two minutes by default), is taken up
// again behind the last answer that arrived. An answer that tells the result complete ends it, whatever becomes of the connection then.
// Where the request itself did not arrive, or the server lost the session, there is nothing to take up, and the error is returned.
type execution struct {
	grpc.ClientStream
	ctx     context.Context
	builder *builder
	open    func(method string) (grpc.ClientStream, error)

	operation    string
	lastResponse string
	complete     bool
}

// reattachWaits are the pauses before each attempt to take a stream up again: together as long as the other calls are tried.
var reattachWaits = []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, 800 * time.Millisecond, 3200 * time.Millisecond, 10 * time.Second}

// SendMsg sends the ExecutePlanRequest, which it marks as one that can be taken up again.
func (e *execution) SendMsg(m any) error {
	if request, ok := m.(proto.Message); ok {
		e.operation = markReattachable(request.ProtoReflect())
	}
	return e.ClientStream.SendMsg(m)
}

func markReattachable(request protoreflect.Message) (operation string) {
	known := request.Descriptor().Fields()
	id, options := known.ByName("operation_id"), known.ByName("request_options")
	if !request.Has(id) {
		request.Set(id, protoreflect.ValueOfString(uuid.NewString()))
	}
	option := request.NewField(options).List().NewElement()
	reattach := option.Message().Mutable(option.Message().Descriptor().Fields().ByName("reattach_options")).Message()
	reattach.Set(reattach.Descriptor().Fields().ByName("reattachable"), protoreflect.ValueOfBool(true))
	list := request.Mutable(options).List()
	list.Truncate(0) // spark-connect-go puts the same option there, mostly saying no
	list.Append(option)
	return request.Get(id).String()
}

// RecvMsg gives the next answer, from this stream or the one that follows it.
func (e *execution) RecvMsg(m any) error {
	waits := reattachWaits
	for {
		err := e.ClientStream.RecvMsg(m)
		if err == nil {
			e.note(m)
			return nil
		}
		if e.complete {
			return io.EOF
		}
		if e.ctx.Err() != nil { // the server may just have ended the stream for its age: that is no good end
			return status.FromContextError(e.ctx.Err()).Err()
		}
		if e.operation == "" || !breaks(err) {
			return err
		}
		for broken := err; ; {
			if len(waits) == 0 && errors.Is(broken, io.EOF) { // which would pass for a good end
				return status.Error(codes.Unavailable, "the server ended the stream before the result was complete, and could not be reached again")
			}
			if len(waits) == 0 {
				return broken
			}
			select {
			case <-e.ctx.Done():
				return status.FromContextError(e.ctx.Err()).Err()
			case <-time.After(waits[0]):
			}
			waits = waits[1:]
			if e.reattach() == nil {
				break
			}
		}
		if errors.Is(err, io.EOF) { // the server's way, as often as it likes
			waits = reattachWaits
		}
	}
}

// breaks tells whether a stream that ended so can be taken up again.
func breaks(err error) bool {
	if errors.Is(err, io.EOF) {
		return true
	}
	s := status.Convert(err)
	return s.Code() == codes.Unavailable || s.Code() == codes.Internal && strings.Contains(s.Message(), "INVALID_CURSOR.DISCONNECTED")
}

// reattach opens a new stream that goes on behind the last answer.
func (e *execution) reattach() error {
	content := (&Session{builder: e.builder}).stamp(fields{"operationId": e.operation})
	if e.lastResponse != "" {
		content["lastResponseId"] = e.lastResponse
	}
	request, err := newMessage("spark.connect.ReattachExecuteRequest", content)
	if err != nil {
		return err
	}
	stream, err := e.open(service + "ReattachExecute")
	if err != nil {
		return err
	}
	e.ClientStream = stream
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) { // on EOF, RecvMsg has the true error
		return err
	}
	return stream.CloseSend()
}

// note remembers where the stream is, and has the server forget the execution once the result is complete.
func (e *execution) note(m any) {
	message, ok := m.(proto.Message)
	if !ok {
		return
	}
	if id, ok := field(message.ProtoReflect(), "response_id"); ok {
		e.lastResponse = id.String()
	}
	if _, ok := field(message.ProtoReflect(), "result_complete"); !ok || e.complete {
		return
	}
	e.complete = true
	e.builder.releasing.Go(func() { // in the background, for nobody waits for it but the session's end
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		request := fields{"operationId": e.operation, "releaseAll": fields{}}
		_, _ = (&Session{builder: e.builder}).call(ctx, "ReleaseExecute", request) // at the latest, the session's end frees it
	})
}
