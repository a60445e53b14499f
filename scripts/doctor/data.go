package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/erasure"
	"cartwheel/internal/model"
)

func checkData(_ context.Context, s *settings, r *report) {
	switch info, err := os.Stat(s.dataDir); {
	case errors.Is(err, fs.ErrNotExist):
		r.tell(toKnow, "data", s.dataDir+" does not exist yet", "the programs create it; --data-dir or DATA_DIR says where")
		return
	case err != nil || !info.IsDir():
		r.tell(toDo, "data", fmt.Sprintf("%s is no folder that can be read (%v)", s.dataDir, err), "choose another with --data-dir or DATA_DIR")
		return
	}
	files := s.checkBatches(r)
	s.checkChampion(r)
	s.checkTrainings(r, files)
	if list, err := erasure.Read(s.dataDir); err != nil {
		r.tell(toDo, "erasures", err.Error(), "trainings refuse to go on without the list")
	} else {
		r.fine("erasures", "%d visitors are erased", len(list))
	}
}

// checkBatches looks for gaps, overlaps and files that were cut off, and returns the names of all batch files.
func (s *settings) checkBatches(r *report) map[string]bool {
	dir := filepath.Join(s.dataDir, batch.FolderName)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.tell(toDo, "batch files", err.Error(), "check the folder's permissions")
		return nil
	}
	names, partitions := map[string]bool{}, map[int]bool{}
	var newest time.Time
	for _, entry := range entries {
		name, ok := batch.ParseName(entry.Name())
		if !ok {
			continue
		}
		names[entry.Name()], partitions[name.Partition] = true, true
		info, err := entry.Info()
		if err == nil && info.Size() == 0 {
			err = errors.New("it is empty")
		}
		if err != nil {
			r.tell(toDo, "batch files", fmt.Sprintf("%s: %v", entry.Name(), err), "bring the file back from a backup (scripts/restore)")
			return names
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if len(names) == 0 {
		r.tell(toKnow, "batch files", "none in "+dir, "go run ./consumer writes them")
		return names
	}
	for p := range partitions {
		if _, err := batch.List(dir, p); err != nil {
			r.tell(toDo, "batch files", err.Error(), "the consumer and the training refuse this folder until then")
			return names
		}
	}
	r.fine("batch files", "%d files of %d partitions, without gaps; the newest is %s old", len(names), len(partitions), age(newest))
	return names
}

// checkChampion loads the version that LATEST names, as the API would.
func (s *settings) checkChampion(r *report) {
	dir := filepath.Join(s.dataDir, "models")
	name, err := model.Champion(dir)
	if errors.Is(err, fs.ErrNotExist) {
		r.tell(toKnow, "champion", "there is none yet", "go run ./sparkjobs/train; until then the API has nothing to serve")
		return
	}
	var v *model.Version
	if err == nil {
		v, err = model.Load(filepath.Join(dir, name))
	}
	if err != nil {
		r.tell(toDo, "champion", err.Error(), "go run ./sparkjobs/models rollback, or activate VERSION")
		return
	}
	if v.Manifest.SparkVersion != sparkVersion {
		r.tell(toKnow, "champion", fmt.Sprintf("%s is sound, and was trained by Spark %s", name, v.Manifest.SparkVersion), "Cartwheel is tested with "+sparkVersion)
		return
	}
	r.fine("champion", "%s is whole and sound: %d visitors, %d items", name, v.Manifest.Counts.Visitors, v.Manifest.Counts.Items)
}

// checkTrainings tells of the newest version, and what has come since.
func (s *settings) checkTrainings(r *report, files map[string]bool) {
	versions, err := model.List(filepath.Join(s.dataDir, "models"))
	if err != nil {
		r.tell(toDo, "versions", err.Error(), "check the folder's permissions")
		return
	}
	var newest *model.Manifest
	for _, v := range versions {
		if v.Err != nil {
			r.tell(toKnow, "versions", v.Err.Error(), "it is never served; remove the folder "+v.Name)
		} else if newest == nil {
			newest = v.Manifest
		}
	}
	if newest == nil {
		return
	}
	since := len(files)
	for _, name := range newest.Data.BatchFiles {
		if files[name] {
			since--
		}
	}
	seen := fmt.Sprintf("the newest version is %s old; %d batch files have come since", age(newest.CreatedAt), since)
	if d := newest.Decision; d != nil && !d.Promoted {
		r.tell(toKnow, "versions", seen+"; it was not made the champion: "+d.Reason, "go run ./sparkjobs/models compare "+newest.Version)
		return
	}
	r.fine("versions", "%s", seen)
}

func age(t time.Time) time.Duration { return time.Since(t).Round(time.Second) }
