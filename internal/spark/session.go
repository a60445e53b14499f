// Package spark opens Spark Connect sessions. It is spark-connect-go's session with what a long-running job needs besides: a clear
// error within seconds when there is no server, progress of whatever runs, interruption on the server when a context ends, commands
// that spark-connect-go has no calls for (MLlib's among them), and the release of the session at the end.
//
// DataFrames are spark-connect-go's own.
package spark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/apache/spark-connect-go/v40/spark/client/channel"
	"github.com/apache/spark-connect-go/v40/spark/sql"
	"google.golang.org/grpc"
)

// DefaultRemote is where a Spark Connect server listens unless told otherwise.
const DefaultRemote = "sc://localhost:15002"

// connectTimeout bounds the wait for the server's first answer.
const connectTimeout = 15 * time.Second

const service = "/spark.connect.SparkConnectService/"

// Session is one client session on a Spark Connect server. Close it, or its server side lives on for an hour.
type Session struct {
	sql.SparkSession

	// Version is the server's Spark version, such as "4.1.2".
	Version string

	builder *builder
}

// Connect opens a session. remote is a connection string, sc://host:port/;param=value, as SPARK_REMOTE holds it; the parameters are
// those of Spark's own clients (user_id, token, use_ssl and further ones, which are sent as headers).
// It fails within 15 s, naming the address, when no Spark Connect server answers there.
func Connect(ctx context.Context, remote string) (*Session, error) {
	base, err := channel.NewBuilder(remote)
	if err != nil {
		return nil, fmt.Errorf("%w: Spark address %q: %w (it looks like sc://localhost:15002; set SPARK_REMOTE or --spark-remote)", ErrRemote, redact(remote), err)
	}
	b := &builder{BaseBuilder: base}
	session, err := sql.NewSessionBuilder().WithChannelBuilder(b).Build(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrRemote, redact(remote), err)
	}
	s := &Session{SparkSession: session, builder: b}

	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	// Any call will do: it proves that a Spark Connect server answers, and shows the session's id to the interceptors.
	if _, err := session.Config().Get(ctx, "spark.app.name"); err != nil {
		_ = b.conn.Close()
		return nil, fmt.Errorf("%w: no Spark Connect server answers at %s:%d: %w (is it running? SPARK_REMOTE or --spark-remote names it)",
			ErrRemote, b.Host(), b.Port(), Explain(err))
	}
	answer, err := s.call(ctx, "AnalyzePlan", fields{"sparkVersion": fields{}})
	if err != nil {
		_ = b.conn.Close()
		return nil, fmt.Errorf("asking the Spark server for its version: %w", err)
	}
	var version struct {
		SparkVersion struct{ Version string }
	}
	if err := json.Unmarshal(answer, &version); err != nil {
		return nil, fmt.Errorf("reading the Spark server's version: %w", err)
	}
	s.Version = version.SparkVersion.Version
	return s, nil
}

// redact hides a token that a connection string may carry.
func redact(remote string) string {
	u, err := url.Parse(remote)
	if err != nil {
		return "(unreadable)"
	}
	if u.Path != "" {
		u.Path = "/…"
	}
	u.User = nil
	return u.Scheme + "://" + u.Host + u.Path
}

// Close releases the session on the server, with everything it cached, and closes the connection.
func (s *Session) Close() error {
	s.builder.releasing.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := s.call(ctx, "ReleaseSession", fields{})
	if err != nil {
		// An execution that has only just been interrupted makes the server stumble once.
		_, err = s.call(ctx, "ReleaseSession", fields{})
	}
	return errors.Join(err, s.builder.conn.Close())
}

// Execute runs a command: one field of spark.connect.Command in protobuf's JSON form, such as {"mlCommand": {…}}.
// It returns, in the same form, the messages of the answer other than progress and end.
func (s *Session) Execute(ctx context.Context, command map[string]any) ([]json.RawMessage, error) {
	request, err := newMessage("spark.connect.ExecutePlanRequest", s.stamp(fields{"plan": fields{"command": command}}))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx) // a stream that is left early must be told so
	defer cancel()
	stream, err := s.builder.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, service+"ExecutePlan")
	if err != nil {
		return nil, Explain(err)
	}
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) { // on EOF, RecvMsg has the true error
		return nil, Explain(err)
	}
	if err := stream.CloseSend(); err != nil {
		return nil, Explain(err)
	}
	var answers []json.RawMessage
	for {
		response, err := newMessage("spark.connect.ExecutePlanResponse", nil)
		if err != nil {
			return nil, err
		}
		if err := stream.RecvMsg(response); errors.Is(err, io.EOF) {
			return answers, nil
		} else if err != nil {
			return nil, Explain(err)
		}
		if isProgress(response) || isEnd(response) {
			continue
		}
		answer, err := toJSON(response)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
}

// call makes a unary call: the method's request, less what every request carries, and its answer, both in protobuf's JSON form.
func (s *Session) call(ctx context.Context, method string, request fields) (json.RawMessage, error) {
	in, err := newMessage("spark.connect."+method+"Request", s.stamp(request))
	if err != nil {
		return nil, err
	}
	out, err := newMessage("spark.connect."+method+"Response", nil)
	if err != nil {
		return nil, err
	}
	if err := s.builder.conn.Invoke(ctx, service+method, in, out); err != nil {
		return nil, Explain(err)
	}
	return toJSON(out)
}

// stamp adds what every request carries.
func (s *Session) stamp(request fields) fields {
	request["sessionId"] = s.builder.sessionID()
	request["userContext"] = fields{"userId": s.builder.User()}
	request["clientType"] = s.builder.UserAgent()
	return request
}
