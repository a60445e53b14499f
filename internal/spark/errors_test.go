package spark

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		err  error
		says string
		code codes.Code
	}{
		{"nobody listens", status.Error(codes.Unavailable, `connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`),
			"dial tcp 127.0.0.1:1: connect: connection refused", codes.Unavailable},
		{"somebody else listens", status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: \"GET\""`), `error reading server preface: "GET"`, codes.Unavailable},
		{"a stack trace", status.Error(codes.Internal, "Job aborted.\n\nbecause of this\n\tat org.apache.spark.Some.thing(Some.scala:1)\nCaused by"), "Job aborted.\nbecause of this", codes.Internal},
		{"a plan", status.Error(codes.Internal, "[X] No such column;\n'Project [1]\n+- Range"), "[X] No such column;", codes.Internal},
	} {
		err := Explain(fmt.Errorf("asking: %w", test.err))
		var e *Error
		if !errors.As(err, &e) || err.Error() != test.says || e.Code != test.code {
			t.Errorf("%s: %q (%+v), want %q", test.name, err, e, test.says)
		}
	}
	for _, ended := range []struct {
		code codes.Code
		as   error
	}{{codes.Canceled, context.Canceled}, {codes.DeadlineExceeded, context.DeadlineExceeded}} {
		if err := Explain(status.Error(ended.code, "over")); !errors.Is(err, ended.as) || !strings.Contains(err.Error(), "over") {
			t.Errorf("%v: %v, want %v", ended.code, err, ended.as)
		}
	}
	plain := errors.New("no error of Spark's")
	if err := Explain(plain); !errors.Is(err, plain) || err.Error() != plain.Error() {
		t.Errorf("%v became %v", plain, err)
	}
	if err := Explain(nil); err != nil {
		t.Error(err)
	}
}
