package spark

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/apache/spark-connect-go/v40/spark/sparkerrors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrRemote is wrapped by errors of reaching the server: a wrong address, nothing there, or something else there.
var ErrRemote = errors.New("cannot reach Spark")

// Error is an error that Spark itself reported.
type Error struct {
	Class   string // Spark's error class, such as "PATH_NOT_FOUND", or empty where Spark gave none
	Reason  string // the Java exception's class
	Message string // Spark's message, its first lines without the stack
	Code    codes.Code
}

func (e *Error) Error() string {
	kind := e.Class
	if kind == "" || strings.Contains(e.Message, kind) {
		return e.Message
	}
	return kind + ": " + e.Message
}

// Explain turns what gRPC or spark-connect-go returned into an *Error, with Spark's error class and message where Spark gave them.
// A context's end is returned as such. Errors of other kinds are returned as they are.
func Explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	var s *sparkerrors.SparkError
	if !errors.As(err, &s) {
		var rpc interface{ GRPCStatus() *status.Status } // not status.FromError, which puts what wraps it into the message
		if !errors.As(err, &rpc) {
			return err
		}
		s = sparkerrors.FromRPCError(rpc.GRPCStatus().Err())
	}
	switch s.Code {
	case codes.Canceled:
		return fmt.Errorf("%w: %s", context.Canceled, s.Message)
	case codes.DeadlineExceeded:
		return fmt.Errorf("%w: %s", context.DeadlineExceeded, s.Message)
	}
	return &Error{Class: s.ErrorClass, Reason: s.Reason, Message: firstLines(unwrapped(s.Message)), Code: s.Code}
}

// dialing is what gRPC puts about the reason why there is no connection.
var dialing = regexp.MustCompile(`^connection error: desc = (".*")$`)

// unwrapped is the reason alone.
func unwrapped(message string) string {
	m := dialing.FindStringSubmatch(message)
	if m == nil {
		return message
	}
	reason, err := strconv.Unquote(m[1])
	if err != nil {
		return message
	}
	return strings.TrimPrefix(reason, "transport: Error while dialing: ")
}

// firstLines drops the Java stack trace and the tree of the query's plan, which say nothing to a person who did not write Spark.
func firstLines(message string) string {
	var kept []string
	for line := range strings.Lines(message) {
		line = strings.TrimRight(line, " \n\r")
		if strings.HasPrefix(line, "\tat ") || strings.HasPrefix(line, "Driver stacktrace") || strings.HasPrefix(line, "JVM stacktrace") ||
			strings.HasPrefix(line, "'") || strings.HasPrefix(strings.TrimSpace(line), "+- ") {
			break
		}
		if line != "" {
			kept = append(kept, line)
		}
		if len(kept) == 6 {
			break
		}
	}
	return strings.Join(kept, "\n")
}
