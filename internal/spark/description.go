package spark

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

type descriptionKey struct{}

// WithDescription has the Spark UI, the history server and the REST API tell what runs under the returned context, such as
// "als: fit, rank 64". Spark Connect describes every job by the first 128 characters of the request, and lets no client say otherwise;
// what can be done is done:
//   - jobs of SQL and of DataFrames have the description itself, and the words before its first colon as their job group. Of several
//     executions that run in one session at once, one may bear another's;
//   - all other jobs (most of a fit's) have it within Spark Connect's description, behind user_name, as far as it fits: about the first
//     30 characters;
//   - all jobs have a tag that ends in it.
func WithDescription(ctx context.Context, description string) context.Context {
	return context.WithValue(ctx, descriptionKey{}, description)
}

func descriptionFrom(ctx context.Context) string {
	description, _ := ctx.Value(descriptionKey{}).(string)
	return description
}

// describe puts the description into an ExecutePlanRequest.
func describe(request proto.Message, description string) {
	m := request.ProtoReflect()
	known := m.Descriptor().Fields()
	tags, user := known.ByName("tags"), known.ByName("user_context")
	if tags == nil || user == nil || description == "" {
		return
	}
	// A tag must not hold a comma, by which Spark joins them.
	m.Mutable(tags).List().Append(protoreflect.ValueOfString(strings.ReplaceAll(description, ",", ";")))
	context := m.Mutable(user).Message()
	context.Set(context.Descriptor().Fields().ByName("user_name"), protoreflect.ValueOfString(description))
}

// announce sets the session's configuration from which Spark takes the descriptions of SQL jobs: it hands all of the session's settings
// down to them as local properties, and a job's description and group are local properties. It is one call, where the description
// differs from the last one. Should it fail, a label is wrong; if there is more to it, the execution itself will tell.
func (b *builder) announce(ctx context.Context, description string) {
	b.announcing.Lock()
	defer b.announcing.Unlock()
	if description == b.announced {
		return
	}
	const text, group = "spark.job.description", "spark.jobGroup.id"
	operation := fields{"unset": fields{"keys": []string{text, group}}}
	if description != "" {
		name, _, _ := strings.Cut(description, ":")
		operation = fields{"set": fields{"pairs": []fields{{"key": text, "value": description}, {"key": group, "value": name}}}}
	}
	if _, err := (&Session{builder: b}).call(ctx, "Config", fields{"operation": operation}); err == nil {
		b.announced = description
	}
}
