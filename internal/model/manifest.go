// Package model keeps trained versions on disk: how a version is staged, published, checked, loaded and made the champion. It promises
// that a version is published whole or not at all, and that whatever is loaded has been checked to the last byte and number. What the
// numbers mean is the business of those who made them (package train) and of those who answer by them (recommend, purchase, segment).
//
// A version is a folder under <data>/models that never changes once it bears its name:
//
//	<version>/manifest.json   what this file defines
//	<version>/als/            Spark's own ALSModel: metadata, userFactors, itemFactors (id int, features array<float>)
//	<version>/visitors/       Parquet: id int32, visitorid string; ids are dense from 0
//	<version>/items/          Parquet: id int32, itemid string; ids are dense from 0
//	<version>/seen/           Parquet: visitor int32, items list<int32>, strengths, ages, habits list<float>; newest item first,
//	                          ages in days before the last event of the data, habits the days on which the visitor touched the item,
//	                          each weighing its strongest event and less the longer ago
//	<version>/neighbours/     Parquet: item int32, items list<int32>, scores list<float>; best first
//	<version>/recent_neighbours/  the same, by a shorter half-life
//	<version>/popular/        Parquet: event string ("all" or a kind), item int32, score double; best first within an event
//	<version>/trending/       optional; Parquet: item int32, score double; the items that are wanted more than before, by features.Items
//	<version>/categories/     optional; Parquet: category string, parent string (null at a root); every parent is a category, too
//	<version>/item_categories/    with it; Parquet: item int32, category string; an item may be in several categories
//	<version>/profiles/       optional; Parquet: visitor int32 and ProfileColumns, int64: what each visitor did, up to the last event
//	<version>/recent_profiles/    optional; the same, of the window before it that purchases are foretold from
//	<version>/purchase/       optional; Spark's own model of who will buy, which the manifest's member purchase describes
//	<version>/segments/       optional; Spark's own scaler and kmeans, which the manifest's member segments describes
//
// <data>/models/LATEST holds the champion's name and a line feed, and is replaced atomically.
package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Schema is the number of the layout above. A reader refuses what it does not know.
const Schema = 1

// ManifestName is the file that makes a folder a version.
const ManifestName = "manifest.json"

// ErrBadVersion is wrapped by every error that says a version is not whole or not sound.
var ErrBadVersion = errors.New("bad model version")

// Manifest says what a version is made of, from what, and how good it is.
type Manifest struct {
	Schema       int                    `json:"schema"`
	Version      string                 `json:"version"`
	CreatedAt    time.Time              `json:"created_at"`                 // when its training began
	Seconds      float64                `json:"training_seconds,omitempty"` // that the training took
	SparkVersion string                 `json:"spark_version"`
	GitRevision  string                 `json:"git_revision,omitempty"` // that the training program was built from; "-dirty" behind it: with changes
	Parameters   Parameters             `json:"parameters"`
	Counts       Counts                 `json:"counts"`
	Data         DataRange              `json:"data"`
	Metrics      map[string]Measurement `json:"metrics"`            // "<kind of question>: <recommender>", "<kind>, warm: <recommender>", …
	Decision     *Decision              `json:"decision,omitempty"` // nil in versions of programs that promoted whatever they trained
	Purchase     *Purchase              `json:"purchase,omitempty"` // who will buy
	Segments     *Segments              `json:"segments,omitempty"` // of visitors
	Files        []File                 `json:"files"`
}

// Parameters are the settings of a training that serving needs or that a repetition would need.
type Parameters struct {
	Rank              int                `json:"rank"`
	Iterations        int                `json:"iterations"`
	RegParam          float64            `json:"regParam"`
	Alpha             float64            `json:"alpha"`
	Seed              int64              `json:"seed"`
	EventWeights      map[string]float64 `json:"event_weights"`
	HalfLifeDays      float64            `json:"half_life_days"`        // 0: no decay
	WindowDays        float64            `json:"window_days,omitempty"` // older events weigh nothing; 0: all weigh
	HoldoutShare      float64            `json:"holdout_share"`
	PopularHalfLife   float64            `json:"popular_half_life_days"`
	HabitHalfLife     float64            `json:"habit_half_life_days"`
	NeighbourHalfLife float64            `json:"neighbour_half_life_days"`
	RecentHalfLife    float64            `json:"recent_half_life_days"` // of the recent neighbours
	Neighbours        NeighbourRule      `json:"neighbours,omitzero"`   // not in versions made before it was kept
	Blends            Blends             `json:"blends"`
	MinItems          int                `json:"min_items"` // visitors with fewer distinct items get no factors; serving folds them in
}

// NeighbourRule is what the tables of neighbours were made by, besides their half-lives; package train has the formulas.
type NeighbourRule struct {
	SessionPauseMinutes int     `json:"session_pause_minutes"` // that ends a session
	MaxSteps            int     `json:"max_steps"`             // apart, for two items of a session to be seen together
	StepExponent        float64 `json:"step_exponent"`         // of how many steps apart they are
	SessionExponent     float64 `json:"session_exponent"`      // of how many events the session has
	Backward            float64 `json:"backward"`              // what the way back counts, of the way forth
	FromExponent        float64 `json:"from_exponent"`         // of how much the item is seen with anything, below the line
	ToExponent          float64 `json:"to_exponent"`           // of how much the neighbour is
	Hop                 int     `json:"hop"`                   // neighbours whose own neighbours are added, of the long memory
	PerItem             int     `json:"per_item"`              // neighbours that an item keeps
}

// Counts say how much of what went in.
type Counts struct {
	RowsRead     int64 `json:"rows_read"`
	Repeats      int64 `json:"repeats_dropped"`           // rows whose eventid had been read before
	Erased       int64 `json:"erased_visitors,omitempty"` // whose rows were left out
	ErasedRows   int64 `json:"erased_rows_dropped,omitempty"`
	Events       int64 `json:"events"`
	Visitors     int64 `json:"visitors"`
	Items        int64 `json:"items"`
	Pairs        int64 `json:"pairs"` // distinct (visitor, item)
	BatchFiles   int   `json:"batch_files"`
	FactorsUsers int64 `json:"visitors_with_factors"`
	FactorsItems int64 `json:"items_with_factors"`
}

// DataRange is the time from the first event to the last, where the hold-out began, and which batch files the events are from.
type DataRange struct {
	From          time.Time `json:"from"`
	To            time.Time `json:"to"`
	HoldoutStart  time.Time `json:"holdout_start"`
	BatchFiles    []string  `json:"batch_files,omitempty"`     // names, in order
	BadBatchFiles []string  `json:"bad_batch_files,omitempty"` // names of those that were passed over, for they were damaged

	CatalogueFiles []string `json:"catalogue_files,omitempty"` // that the categories are from, relative to the data folder
}

// Measurement is one recommender's quality on the hold-out: means over questions, each with a 95 % bootstrap interval over visitors.
type Measurement struct {
	Cases  int                 `json:"cases"`
	Values map[string]Interval `json:"values"` // "ndcg@10", "recall@20", "coverage@10", …: docs/quality.md lists them
}

// Interval is a mean and its 95 % bootstrap interval.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// File is one file of a version; Path is relative to the version's folder, with forward slashes.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// ReadManifest reads a version's manifest and checks what can be checked without reading the other files.
// Errors wrap ErrBadVersion, or fs.ErrNotExist where there is no manifest.
func ReadManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, ManifestName)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the manifest: %w", ErrBadVersion, err)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%w: %s is not valid JSON: %w", ErrBadVersion, path, err)
	}
	if m.Schema != Schema {
		return nil, fmt.Errorf("%w: %s has schema %d, this program reads %d", ErrBadVersion, path, m.Schema, Schema)
	}
	if m.Version != filepath.Base(dir) {
		return nil, fmt.Errorf("%w: %s names version %q, its folder is %q", ErrBadVersion, path, m.Version, filepath.Base(dir))
	}
	return &m, nil
}
