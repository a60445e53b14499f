// Package config gives every program the same way to be configured: defaults in code, then the environment, then flags of the
// same meaning. It knows names and precedence; what a setting means is the business of the program that declares it.
package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// ErrUsage is wrapped by errors that a corrected command line or environment would cure; programs end with code 2 on it.
var ErrUsage = errors.New("usage")

// ErrHelp is returned when the user asked for help, which has then been printed.
var ErrHelp = flag.ErrHelp

// Set is a flag.FlagSet whose flags may also be set by environment variables.
type Set struct {
	*flag.FlagSet
	about string
	env   map[string]string // flag name -> variable name
}

// New starts the settings of one program. about is one sentence for --help, which goes to out.
func New(program, about string, out io.Writer) *Set {
	s := &Set{FlagSet: flag.NewFlagSet(program, flag.ContinueOnError), about: about, env: map[string]string{}}
	s.SetOutput(out)
	s.Usage = s.usage
	return s
}

// Env lets the environment variable set the flag of that name when the command line does not.
func (s *Set) Env(flagName, variable string) { s.env[flagName] = variable }

// Variables returns the flags that have an environment variable: flag name to variable name.
func (s *Set) Variables() map[string]string { return s.env }

// Parse applies the environment, then the command line. Its errors wrap ErrUsage and name the flag or variable at fault.
// An empty environment variable counts as unset, which is what compose files make of an unset one.
func (s *Set) Parse(args []string, getenv func(string) string) error {
	var wrong []error
	s.VisitAll(func(f *flag.Flag) {
		variable, ok := s.env[f.Name]
		if !ok {
			return
		}
		if value := getenv(variable); value != "" {
			if err := s.Set(f.Name, value); err != nil {
				wrong = append(wrong, fmt.Errorf("%w: environment variable %s: invalid value %q: %v", ErrUsage, variable, value, err))
			}
		}
	})
	out := s.Output()
	s.SetOutput(io.Discard) // the caller prints the error once; FlagSet would print it, and the whole usage, by itself
	err := s.FlagSet.Parse(args)
	s.SetOutput(out)
	switch {
	case errors.Is(err, flag.ErrHelp):
		s.usage()
		return ErrHelp
	case err != nil:
		wrong = append(wrong, fmt.Errorf("%w: %v (--help lists the flags)", ErrUsage, err))
	case s.NArg() > 0:
		wrong = append(wrong, fmt.Errorf("%w: unexpected argument %q (--help lists the flags)", ErrUsage, s.Arg(0)))
	}
	return errors.Join(wrong...)
}

func (s *Set) usage() {
	fmt.Fprintf(s.Output(), "%s: %s\n\nFlags, each with the environment variable that it overrides:\n", s.Name(), s.about)
	s.VisitAll(func(f *flag.Flag) {
		kind, text := flag.UnquoteUsage(f)
		line := strings.TrimSpace("--" + f.Name + " " + kind)
		if variable := s.env[f.Name]; variable != "" {
			line += "  [" + variable + "]"
		}
		if f.DefValue != "" && f.DefValue != "false" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(s.Output(), "  %s\n        %s\n", line, text)
	})
}

// ExitCode is that of a program that ends with this error: 0 if there is none or help was asked for, 2 for ErrUsage, 1 otherwise.
func ExitCode(err error) int {
	switch {
	case err == nil, errors.Is(err, ErrHelp):
		return 0
	case errors.Is(err, ErrUsage):
		return 2
	}
	return 1
}

// Tell tells what a program ends with, unless all is well, and returns the exit code.
func Tell(program string, err error, out io.Writer) int {
	code := ExitCode(err)
	if code != 0 {
		fmt.Fprintf(out, "%s: %v\n", program, err)
	}
	return code
}

// Problems collects what is wrong with a configuration, so that a person hears of every fault at once.
type Problems []error

// Check adds a problem unless ok. The format begins with the name of the flag.
func (p *Problems) Check(ok bool, format string, args ...any) {
	if !ok {
		*p = append(*p, fmt.Errorf("%w: "+format, append([]any{ErrUsage}, args...)...))
	}
}

// Err joins the problems, or is nil if there are none.
func (p Problems) Err() error { return errors.Join(p...) }
