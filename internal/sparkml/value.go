package sparkml

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// literal is a literal of Spark Connect as the server sends it, as far as MLlib's attributes use them. A vector is a struct of a
// byte that tells dense (1) from sparse (0), size, indices and values; a matrix likewise, with its shape.
type literal struct {
	Byte    int     `json:"byte"`
	Integer *int    `json:"integer"`
	Long    *int64  `json:"long,string"`
	Double  *double `json:"double"`
	Boolean *bool   `json:"boolean"`
	String  *string `json:"string"`
	Array   *struct {
		Elements []literal `json:"elements"`
	} `json:"array"`
	Struct *struct {
		Elements []literal `json:"elements"`
	} `json:"struct"`
	Special struct {
		Ints    struct{ Values []int }    `json:"ints"`
		Doubles struct{ Values []double } `json:"doubles"`
	} `json:"specializedArray"`
}

// double reads protobuf's JSON form of a number, where NaN and the infinities are strings.
type double float64

func (d *double) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		text = text[1 : len(text)-1]
	}
	v, err := strconv.ParseFloat(string(text), 64)
	*d = double(v)
	return err
}

// fetch asks the model for the value of a method, or of a method of that method's result and so on, and reads it.
func fetch[T any](ctx context.Context, m *Model, read func(literal) (T, bool), methods ...string) (T, error) {
	var none T
	result, err := command(ctx, m.session, fields{"fetch": fields{"objRef": m.ref(), "methods": calls(methods)}})
	if err != nil {
		return none, fmt.Errorf("asking a model for %v: %w", methods, err)
	}
	var l literal
	if err := json.Unmarshal(result.Param, &l); err != nil {
		return none, fmt.Errorf("asking a model for %v: reading %.200s: %w", methods, result.Param, err)
	}
	v, ok := read(l)
	if !ok {
		return none, fmt.Errorf("asking a model for %v: the server's answer is of another kind than expected: %.200s", methods, result.Param)
	}
	return v, nil
}

func calls(methods []string) []fields {
	list := make([]fields, len(methods))
	for i, m := range methods {
		list[i] = fields{"method": m}
	}
	return list
}

// deref is *p, where there is one.
func deref[T any](p *T) (v T, ok bool) {
	if p != nil {
		v = *p
	}
	return v, p != nil
}

func asInt(l literal) (int, bool)       { return deref(l.Integer) }
func asLong(l literal) (int64, bool)    { return deref(l.Long) }
func asBool(l literal) (bool, bool)     { return deref(l.Boolean) }
func asString(l literal) (string, bool) { return deref(l.String) }

func asFloat(l literal) (float64, bool) {
	v, ok := deref(l.Double)
	return float64(v), ok
}

// asArray reads an array whose elements are read by element.
func asArray[T any](element func(literal) (T, bool)) func(literal) ([]T, bool) {
	return func(l literal) ([]T, bool) {
		if l.Array == nil {
			return nil, false
		}
		list := make([]T, len(l.Array.Elements))
		for i, e := range l.Array.Elements {
			var ok bool
			if list[i], ok = element(e); !ok {
				return nil, false
			}
		}
		return list, true
	}
}

// asVector reads a dense or sparse vector as a dense one.
func asVector(l literal) ([]float64, bool) {
	if l.Struct == nil || len(l.Struct.Elements) != 4 {
		return nil, false
	}
	kind, size, indices, values := l.Struct.Elements[0].Byte, l.Struct.Elements[1].Integer, l.Struct.Elements[2].Special.Ints.Values,
		floats(l.Struct.Elements[3].Special.Doubles.Values)
	if kind == 1 {
		return values, true
	}
	if size == nil || len(indices) != len(values) {
		return nil, false
	}
	dense := make([]float64, *size)
	for i, at := range indices {
		if at < 0 || at >= len(dense) {
			return nil, false
		}
		dense[at] = values[i]
	}
	return dense, true
}

// asRows reads a dense or sparse matrix as its rows.
func asRows(l literal) ([][]float64, bool) {
	if l.Struct == nil || len(l.Struct.Elements) != 7 {
		return nil, false
	}
	e := l.Struct.Elements
	rows, okRows := deref(e[1].Integer)
	cols, okCols := deref(e[2].Integer)
	values := floats(e[5].Special.Doubles.Values)
	transposed, _ := deref(e[6].Boolean)
	if !okRows || !okCols {
		return nil, false
	}
	m := make([][]float64, rows)
	for i := range m {
		m[i] = make([]float64, cols)
	}
	at := func(major, minor int) *float64 { // Spark's matrices are stored by column; transposed ones by row
		if transposed {
			major, minor = minor, major
		}
		return &m[minor][major]
	}
	majors, minors := cols, rows
	if transposed {
		majors, minors = rows, cols
	}
	if e[0].Byte == 1 {
		if len(values) != rows*cols {
			return nil, false
		}
		for i, v := range values {
			*at(i/minors, i%minors) = v
		}
		return m, true
	}
	starts, indices := e[3].Special.Ints.Values, e[4].Special.Ints.Values
	if len(starts) != majors+1 || len(indices) != len(values) {
		return nil, false
	}
	for major := range majors {
		for i := starts[major]; i < starts[major+1]; i++ {
			if i < 0 || i >= len(values) || indices[i] < 0 || indices[i] >= minors {
				return nil, false
			}
			*at(major, indices[i]) = values[i]
		}
	}
	return m, true
}

func floats(list []double) []float64 {
	out := make([]float64, len(list))
	for i, v := range list {
		out[i] = float64(v)
	}
	return out
}
