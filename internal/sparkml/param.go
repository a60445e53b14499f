package sparkml

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrParam is wrapped by errors that say a parameter breaks one of MLlib's constraints.
var ErrParam = errors.New("invalid parameter")

type fields = map[string]any

// operator is one of MLlib's estimators, transformers or evaluators: a pointer to a struct whose fields are its parameters.
type operator interface {
	Validate() error
	class() string // MLlib's, without "org.apache.spark."
}

// adjuster is an operator some of whose parameters exclude each other: it takes out what must not be sent.
type adjuster interface{ adjust(params fields) }

// params gives an operator's fields as MLlib's parameters. A field bears the parameter's name with a capital letter. One with the tag
// ml:"optional" has no default in MLlib: empty, it is not sent.
func params(op operator) fields {
	sent := fields{}
	v := reflect.ValueOf(op).Elem()
	for _, f := range reflect.VisibleFields(v.Type()) {
		value := v.FieldByIndex(f.Index)
		if f.Anonymous || f.Tag.Get("ml") == "optional" && value.IsZero() {
			continue
		}
		sent[paramName(f.Name)] = literalOf(value)
	}
	if a, ok := op.(adjuster); ok {
		a.adjust(sent)
	}
	return fields{"params": sent}
}

func paramName(field string) string {
	first, size := utf8.DecodeRuneInString(field)
	return string(unicode.ToLower(first)) + field[size:]
}

// literalOf is a literal of Spark Connect, in protobuf's JSON form. A 64-bit integer is a string there.
func literalOf(v reflect.Value) fields {
	switch v.Kind() {
	case reflect.Int:
		return fields{"integer": v.Int()}
	case reflect.Int64:
		return fields{"long": strconv.FormatInt(v.Int(), 10)}
	case reflect.Float64:
		return fields{"double": v.Float()}
	case reflect.Bool:
		return fields{"boolean": v.Bool()}
	case reflect.String:
		return fields{"string": v.String()}
	case reflect.Slice:
		kind := map[reflect.Kind]string{reflect.String: "string", reflect.Float64: "double"}[v.Type().Elem().Kind()]
		elements := make([]fields, v.Len())
		for i := range elements {
			elements[i] = literalOf(v.Index(i))
		}
		return fields{"array": fields{"elementType": fields{kind: fields{}}, "elements": elements}}
	}
	panic("sparkml: no literal for a parameter of type " + v.Type().String()) // an operator's struct is wrong: any test of it shows this
}

// checks collects the constraints that an operator's parameters break.
type checks struct {
	operator string
	broken   []error
}

func (c *checks) that(ok bool, name string, value any, constraint string) {
	if !ok {
		c.broken = append(c.broken, fmt.Errorf("%w: %s.%s = %v: %s", ErrParam, c.operator, name, value, constraint))
	}
}

// columns holds that each of these parameters, given as name, value, name, value …, names a column.
func (c *checks) columns(namesAndValues ...string) {
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		c.that(namesAndValues[i+1] != "", namesAndValues[i], `""`, "must name a column")
	}
}

// columnList holds that a list names columns.
func (c *checks) columnList(name string, list []string) {
	c.that(len(list) > 0 && !slices.Contains(list, ""), name, list, "must name columns")
}

func (c *checks) finite(name string, value float64) {
	c.that(!math.IsNaN(value) && !math.IsInf(value, 0), name, value, "must be a finite number")
}

// oneOf holds that value is one of the choices; case does not matter where it does not to MLlib.
func (c *checks) oneOf(name, value string, choices ...string) {
	c.that(slices.Contains(choices, value), name, strconv.Quote(value), "must be one of "+strings.Join(choices, ", "))
}

func (c *checks) oneOfFold(name, value string, choices ...string) {
	c.oneOf(name, strings.ToLower(value), choices...)
}

func (c *checks) err() error { return errors.Join(c.broken...) }

// atLeast holds that the value is finite and at least least.
func atLeast[N int | float64](c *checks, name string, value, least N) {
	c.that(value >= least && !math.IsInf(float64(value), 0), name, value, fmt.Sprintf("must be a number of at least %v", least))
}

// within holds that the value lies between 0 and high, of which the brackets tell whether they count: "[]", "(]", "[)" or "()".
func within(c *checks, name string, value, high float64, brackets string) {
	ok := value > 0 && value < high || value == 0 && brackets[0] == '[' || value == high && brackets[1] == ']'
	c.that(ok, name, value, fmt.Sprintf("must be in %c0, %v%c", brackets[0], high, brackets[1]))
}
