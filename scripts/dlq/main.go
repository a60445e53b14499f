// Command dlq looks after what was set aside: messages that the consumer could not understand, and rows that the producer rejected.
//
//	dlq list       shows what lies in the dead-letter topic, why, and where it came from
//	dlq export     writes it as JSON lines, to be put right in an editor
//	dlq resubmit   sends back what is valid: as it lies there, or corrected lines (--from), or corrected rejects (--rejects)
//
// What has been sent back is not listed again; --all shows it too.
package main

import (
	"context"
	"io"
	"strings"

	"cartwheel/internal/batch"
	"cartwheel/internal/config"
	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/shutdown"
)

func main() { shutdown.Main(run) }

type settings struct {
	kafka   kafka.Config
	topic   string
	all     bool
	from    string
	rejects string
	source  string
}

// run is the program: 0 when all is done, 1 when something could not be sent back or went wrong, 2 for a wrong setting.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	command, flags, s := "", args, &settings{}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, flags = args[0], args[1:]
	}
	f := config.New("dlq list|export|resubmit", "looks after messages and rows that were set aside.", stdout)
	f.StringVar(&s.topic, "topic", event.Topic, "the `topic` whose messages were set aside; they lie in TOPIC"+batch.DeadLetterSuffix)
	f.Env("topic", "KAFKA_TOPIC")
	f.BoolVar(&s.all, "all", false, "also what has been sent back before")
	f.StringVar(&s.from, "from", "", "resubmit: `file` that dlq export wrote, corrected")
	f.StringVar(&s.rejects, "rejects", "", "resubmit: the producer's rejects `file`, with its column row corrected")
	f.StringVar(&s.source, "source", "", "resubmit --rejects: the `file` that the rows came from (default the rejects file's name without .rejects.csv)")
	s.kafka.Declare(f)
	err := f.Parse(flags, getenv)
	if err == nil {
		var p config.Problems
		s.kafka.Check(&p)
		p.Check(s.topic != "", "--topic is empty")
		p.Check(command == "resubmit" || s.from == "" && s.rejects == "", "--from and --rejects belong to dlq resubmit")
		p.Check(s.from == "" || s.rejects == "", "--from and --rejects exclude each other")
		p.Check(command == "list" || command == "export" || command == "resubmit", "%q is no command: say list, export or resubmit (dlq --help names the flags)", command)
		err = p.Err()
	}
	if err == nil {
		err = act(ctx, command, s, stdout)
	}
	return config.Tell("dlq", err, stderr)
}

func act(ctx context.Context, command string, s *settings, out io.Writer) error {
	client, err := kafka.Open(ctx, s.kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	box := &box{client: client, topic: s.topic, dead: s.topic + batch.DeadLetterSuffix, all: s.all}
	switch {
	case command == "list":
		return box.list(ctx, out)
	case command == "export":
		return box.export(ctx, out)
	case s.from != "":
		return box.resubmitFile(ctx, s.from, out)
	case s.rejects != "":
		return box.resubmitRejects(ctx, s.rejects, s.source, out)
	}
	return box.resubmit(ctx, out)
}
