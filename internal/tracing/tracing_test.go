package tracing_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace"

	"cartwheel/internal/tracing"
)

func TestParent(t *testing.T) {
	if got := tracing.Parent(t.Context()); got != "" {
		t.Errorf("without a span: %q", got)
	}
	for _, c := range []struct {
		sampler trace.Sampler
		sampled bool
	}{{trace.AlwaysSample(), true}, {trace.NeverSample(), false}} {
		ctx, span := trace.NewTracerProvider(trace.WithSampler(c.sampler)).Tracer("test").Start(context.Background(), "x")
		parent := tracing.Parent(ctx)
		if got := tracing.Read(parent); got.IsValid() != c.sampled || c.sampled && (got.TraceID() != span.SpanContext().TraceID() || got.SpanID() != span.SpanContext().SpanID()) {
			t.Errorf("%q names %v, not %v", parent, got, span.SpanContext())
		}
	}
	for _, bad := range []string{"", "x", "00-00000000000000000000000000000000-0000000000000000-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-zz-01"} {
		if tracing.Read(bad).IsValid() {
			t.Errorf("%q names a span", bad)
		}
	}
}
