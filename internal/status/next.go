package status

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"cartwheel/internal/batch"
	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
)

// next says what is missing, in the order in which to do it, with the commands that would do it here. Nothing is missing where it
// is empty.
func (g *Gatherer) next(s *Status) []Step {
	steps := []Step{}
	add := func(what, command string) { steps = append(steps, Step{what, command}) }
	train := g.with("go run ./sparkjobs/train")
	switch {
	case !s.Topic.Configured:
		add("Start Kafka and Spark on this machine.", "make up")
		add("Start this API again with the broker's address: it follows the topic then, takes events, and shows here how they flow.",
			g.with("KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 go run ./api"))
	case s.Topic.Error != "":
		add("Kafka does not answer. Start it, or see that --bootstrap-servers names the right one.", "make up")
	}
	empty := s.Batches.Files == 0 && s.Topic.Written == 0
	if empty {
		if _, err := os.Stat(filepath.Join(g.o.DataDir, "raw", "events.csv")); err != nil {
			add("Generate events to try it with, or put your own at "+filepath.Join(g.o.DataDir, "raw", "events.csv")+".", g.with("go run ./scripts/generate"))
		}
		add("Bring the events into Kafka.", g.withKafka("go run ./producer", s.Topic.Configured && !s.Topic.Exists && s.Topic.Error == "", " --create-topic"))
	}
	if s.Consumer.Error == "" && s.Topic.Error == "" && s.Consumer.Members == 0 && (s.Consumer.Lag > 0 || s.Batches.Files == 0) {
		add("Write the events into batch files, for as long as it runs.", g.withKafka("go run ./consumer", true, " --follow"))
	}
	if s.Training.Since == nil {
		switch {
		case s.Models.Versions == 0:
			add("Train the first version: some minutes on two cores.", train)
		case s.Models.Champion == "" || !s.API.Ready && s.API.Version == "":
			add("No version is served"+because(s.API.Detail)+". Look at what there is, and train again or activate one.", g.with("go run ./sparkjobs/models list"))
		case s.Training.Last != nil && 10*s.Training.NewEvents >= s.Training.Last.Events:
			add("There are so many new events that a training should learn something from them.", train)
		}
	}
	return steps
}

func because(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + detail
}

// with puts the data folder before a command, where it is not the one that programs take by themselves.
func (g *Gatherer) with(command string) string {
	if filepath.Clean(g.o.DataDir) == "data" {
		return command
	}
	return "DATA_DIR=" + quote(g.o.DataDir) + " " + command
}

// withKafka puts the cluster before it, too, and the flag after it if it is wanted.
func (g *Gatherer) withKafka(command string, wanted bool, flag string) string {
	var before strings.Builder
	for _, v := range []struct{ name, value, usual string }{
		{"KAFKA_BOOTSTRAP_SERVERS", g.o.Kafka.Servers, kafka.DefaultServers},
		{"KAFKA_TOPIC", g.o.Topic, event.Topic},
		{"KAFKA_GROUP_ID", g.o.Group, batch.Group},
	} {
		if value := cmp.Or(v.value, v.usual); value != v.usual && !(v.name == "KAFKA_GROUP_ID" && strings.HasSuffix(command, "producer")) {
			before.WriteString(v.name + "=" + quote(value) + " ")
		}
	}
	if wanted {
		command += flag
	}
	return g.with(before.String() + command)
}

var plain = regexp.MustCompile(`^[\w./:,@%+=-]+$`)

// quote makes a word of it for a shell.
func quote(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
