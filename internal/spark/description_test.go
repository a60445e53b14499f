package spark

import (
	"context"
	"strings"
	"testing"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	request, err := newMessage("spark.connect.ExecutePlanRequest", fields{"userContext": fields{"userId": "me"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := WithDescription(context.Background(), "als: fit, rank 64")
	describe(request, descriptionFrom(ctx))
	text, err := toJSON(request)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"als: fit; rank 64"`, `"als: fit, rank 64"`, `"me"`} { // a tag without comma, the user's name, the user still
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}

	for name, plain := range map[string]struct {
		message     string
		description string
	}{"no description": {"ExecutePlanRequest", descriptionFrom(context.Background())}, "a request of another kind": {"ReattachExecuteRequest", "x"}} {
		request, err := newMessage("spark.connect."+plain.message, nil)
		if err != nil {
			t.Fatal(err)
		}
		if describe(request, plain.description); strings.Trim(request.ProtoReflect().Interface().(interface{ String() string }).String(), " ") != "" {
			t.Errorf("%s: %v", name, request)
		}
	}
}
