// Package tracing sends OpenTelemetry spans to a collector, and takes a trace from one program to the next in the headers of a
// Kafka record. It ends there: what is a span is the business of whoever works.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
	spans "go.opentelemetry.io/otel/trace"

	"cartwheel/internal/config"
)

// Header is the Kafka header, and the HTTP header, that carries a trace: https://www.w3.org/TR/trace-context/#traceparent-header
const Header = "traceparent"

// flush is how long the last spans may take to be sent.
const flush = 2 * time.Second

// Start sends spans of a program to a collector, in batches and beside the work: a collector that is away costs spans and nothing else.
// What OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES and the like say holds. stop sends the last spans, until ctx is done at most.
func Start(ctx context.Context, endpoint, program string, log *slog.Logger) (provider spans.TracerProvider, stop func(), err error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimRight(endpoint, "/")+"/v1/traces"))
	if err != nil {
		return nil, nil, fmt.Errorf("tracing to %s: %w", endpoint, err)
	}
	named, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName(program)), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("tracing to %s: %w", endpoint, err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are lost", "error", err) }))
	sending := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(named))
	return sending, func() {
		ctx, cancel := context.WithTimeout(ctx, flush)
		defer cancel()
		_ = sending.Shutdown(ctx) // what could not be sent any more has been said
	}, nil
}

// Check reports an endpoint that cannot be one. An empty one is no fault: no spans are sent then.
func Check(p *config.Problems, endpoint string) {
	u, err := url.Parse(endpoint)
	p.Check(endpoint == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", "--otlp-endpoint %q is not an http or https URL", endpoint)
}

// Parent is the header's value for the span of the context, or empty if nothing is recorded there.
func Parent(ctx context.Context) string {
	if !spans.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[Header]
}

// Read returns the span that a header's value names. It is not valid if the value names none.
func Read(parent string) spans.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{Header: parent})
	return spans.SpanContextFromContext(ctx)
}
