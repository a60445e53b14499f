package serve

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
	spans "go.opentelemetry.io/otel/trace"
)

// newTracing sends a span for each request to an OpenTelemetry collector, in batches and beside the requests: a collector that is
// away costs spans and nothing else. What OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES and the like say holds.
func newTracing(ctx context.Context, endpoint string, log *slog.Logger) (*trace.TracerProvider, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimRight(endpoint, "/")+"/v1/traces"))
	if err != nil {
		return nil, fmt.Errorf("tracing to %s: %w", endpoint, err)
	}
	named, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName("cartwheel-api")), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("tracing to %s: %w", endpoint, err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are lost", "error", err) }))
	return trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(named)), nil
}

// traced puts each request into a span, which goes on with the caller's trace if it has one.
func traced(h http.Handler, provider spans.TracerProvider) http.Handler {
	return otelhttp.NewHandler(h, "request", otelhttp.WithTracerProvider(provider), otelhttp.WithPropagators(propagation.TraceContext{}))
}

// nameSpan tells the span what became known while the request was worked on.
func nameSpan(c *gin.Context, route, id string) {
	span := spans.SpanFromContext(c.Request.Context())
	if !span.IsRecording() {
		return
	}
	span.SetName(c.Request.Method + " " + route)
	span.SetAttributes(semconv.HTTPRoute(route), attribute.String("cartwheel.request_id", id),
		attribute.String("cartwheel.model_version", c.Writer.Header().Get("X-Model-Version")))
}
