package batchtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cartwheel/internal/batch/batchtest"
)

const (
	first  = "batch_000_00000000000000000000_00000000000000000001.csv"
	second = "batch_000_00000000000000000002_00000000000000000002.csv"
)

func row(id string) string { return "1,v,view,i,," + id + "\n" }

// A checker that finds nothing wrong proves nothing unless it finds what is wrong.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	sound := map[string]string{first: batchtest.Header + "\n" + row("a") + row("b"), second: batchtest.Header + "\n" + row("c")}
	for name, c := range map[string]struct {
		file, content string // "-" removes the file
		want          func(batchtest.Report) bool
	}{
		"sound":                   {"", "", func(r batchtest.Report) bool { return r.OK() && r.Files == 2 && r.Rows == 3 }},
		"a missing event":         {first, batchtest.Header + "\n" + row("a"), func(r batchtest.Report) bool { return r.Missing == 1 && !r.OK() }},
		"a missing file":          {first, "-", func(r batchtest.Report) bool { return r.Missing == 2 }},
		"a repeated event":        {first, batchtest.Header + "\n" + row("a") + row("a"), func(r batchtest.Report) bool { return r.Repeated == 1 && r.Missing == 1 }},
		"repeated across files":   {second, batchtest.Header + "\n" + row("a"), func(r batchtest.Report) bool { return r.Repeated == 1 && r.Missing == 1 }},
		"a foreign event":         {first, batchtest.Header + "\n" + row("a") + row("z"), func(r batchtest.Report) bool { return r.Foreign == 1 && r.Missing == 1 }},
		"more rows than offsets":  {second, batchtest.Header + "\n" + row("c") + row("d"), func(r batchtest.Report) bool { return len(r.Problems) == 1 && r.Foreign == 1 }},
		"a file cut off":          {second, batchtest.Header + "\n" + "1,v,vi", func(r batchtest.Report) bool { return len(r.Problems) == 1 && r.Missing == 1 }},
		"a file without a header": {second, row("c"), func(r batchtest.Report) bool { return len(r.Problems) == 1 }},
		"a damaged row":           {second, batchtest.Header + "\n" + "1,\"v\n", func(r batchtest.Report) bool { return len(r.Problems) == 1 }},
		"an empty file":           {second, "", func(r batchtest.Report) bool { return len(r.Problems) == 1 }},
		"a gap": {strings.Replace(second, "02_", "04_", 1), batchtest.Header + "\n" + row("c"),
			func(r batchtest.Report) bool { return len(r.Problems) == 1 }},
		"an overlap":             {"batch_000_00000000000000000001_00000000000000000001.csv", batchtest.Header + "\n", func(r batchtest.Report) bool { return len(r.Problems) == 1 }},
		"an unfinished file":     {".batch_000_x", "", func(r batchtest.Report) bool { return len(r.Problems) == 1 }},
		"a file of another name": {"batch_0_0_1.csv", batchtest.Header + "\n", func(r batchtest.Report) bool { return len(r.Problems) == 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range sound {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if c.file != "" && strings.Contains(name, "gap") {
				if err := os.Remove(filepath.Join(dir, second)); err != nil {
					t.Fatal(err)
				}
				c.file = "batch_000_00000000000000000004_00000000000000000004.csv"
			}
			switch {
			case c.content == "-":
				if err := os.Remove(filepath.Join(dir, c.file)); err != nil {
					t.Fatal(err)
				}
			case c.file != "":
				if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			r, err := batchtest.Check(dir, map[string]bool{"a": true, "b": true, "c": true})
			if err != nil || !c.want(r) {
				t.Errorf("%v, %v", r, err)
			}
		})
	}
}
