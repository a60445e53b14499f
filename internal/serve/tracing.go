package serve

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
	spans "go.opentelemetry.io/otel/trace"

	"cartwheel/internal/tracing"
)

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

// sending is a span for handing events to Kafka, which the events take along to whoever reads them. Without tracing it is nothing.
func sending(ctx context.Context, topic string, events int) (parent string, end func(error)) {
	span := spans.SpanFromContext(ctx)
	if !span.IsRecording() {
		return "", func(error) {}
	}
	ctx, span = span.TracerProvider().Tracer("cartwheel").Start(ctx, "send "+topic, spans.WithSpanKind(spans.SpanKindProducer),
		spans.WithAttributes(semconv.MessagingSystemKafka, semconv.MessagingDestinationName(topic), semconv.MessagingBatchMessageCount(events)))
	return tracing.Parent(ctx), func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}
