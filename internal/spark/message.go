package spark

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// spark-connect-go keeps its generated messages in an internal package, but registers them with the protobuf runtime like every
// generated message. So they are made by name and filled from their JSON form here, with no copy of the .proto files.

type fields = map[string]any

// newMessage makes the message of that full name and fills it from its JSON form, if there is one.
func newMessage(name string, content fields) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		return nil, fmt.Errorf("finding the protobuf message %s: %w", name, err)
	}
	m := kind.New().Interface()
	if content == nil {
		return m, nil
	}
	text, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", name, err)
	}
	if err := protojson.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("building %s: %w", name, err)
	}
	return m, nil
}

func toJSON(m proto.Message) (json.RawMessage, error) {
	text, err := protojson.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return text, nil
}

// field returns a singular field by its protobuf name, and whether it is set.
func field(m protoreflect.Message, name protoreflect.Name) (protoreflect.Value, bool) {
	fd := m.Descriptor().Fields().ByName(name)
	if fd == nil || !m.Has(fd) {
		return protoreflect.Value{}, false
	}
	return m.Get(fd), true
}
