package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Difference is something in which two versions are not alike.
type Difference struct {
	What string `json:"what"`
	A    string `json:"a"`
	B    string `json:"b"`
}

// MetricPair is one figure of two versions. They were not measured on the same events, so it shows no more than where to look;
// Decision holds what was compared on the same.
type MetricPair struct {
	Measured string    `json:"measured"` // "<kind of question>: <recommender>"
	Metric   string    `json:"metric"`
	A        *Interval `json:"a"` // nil if not measured
	B        *Interval `json:"b"`
}

// Compare lists how two versions differ in their settings, counts and times, and their figures in the given metrics beside each other.
func Compare(a, b *Manifest, metrics []string) ([]Difference, []MetricPair, error) {
	differences := []Difference{}
	for _, part := range []struct {
		name string
		a, b any
	}{{"parameters", a.Parameters, b.Parameters}, {"counts", a.Counts, b.Counts}, {"data", plain(a.Data), plain(b.Data)},
		{"spark_version", a.SparkVersion, b.SparkVersion}, {"git_revision", a.GitRevision, b.GitRevision}} {
		flatA, errA := flatten(part.name, part.a)
		flatB, errB := flatten(part.name, part.b)
		if err := errors.Join(errA, errB); err != nil {
			return nil, nil, fmt.Errorf("comparing %s: %w", part.name, err)
		}
		names := maps.Clone(flatA)
		maps.Copy(names, flatB)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if flatA[name] != flatB[name] {
				differences = append(differences, Difference{What: name, A: flatA[name], B: flatB[name]})
			}
		}
	}
	pairs := []MetricPair{}
	measured := map[string]Measurement{}
	maps.Copy(measured, a.Metrics)
	maps.Copy(measured, b.Metrics)
	for _, key := range slices.Sorted(maps.Keys(measured)) {
		for _, metric := range metrics {
			if p := (MetricPair{key, metric, a.figure(key, metric), b.figure(key, metric)}); p.A != nil || p.B != nil {
				pairs = append(pairs, p)
			}
		}
	}
	return differences, pairs, nil
}

func (m *Manifest) figure(key, metric string) *Interval {
	if v, ok := m.Metrics[key].Values[metric]; ok {
		return &v
	}
	return nil
}

// plain leaves out of the range of data the long list of files: their number is among the counts.
func plain(d DataRange) DataRange { d.BatchFiles = nil; return d }

// flatten turns a value into its JSON leaves by their paths.
func flatten(name string, value any) (map[string]string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	leaves := map[string]string{}
	var walk func(string, any)
	walk = func(path string, node any) {
		if branch, ok := node.(map[string]any); ok {
			for key, below := range branch {
				walk(path+"."+key, below)
			}
			return
		}
		leaf, _ := json.Marshal(node) // of what was just read from JSON
		leaves[path] = string(leaf)
	}
	walk(name, tree)
	return leaves, nil
}
