package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/synthetic/synthetictest"
	"cartwheel/scripts/internal/backup"
)

func TestRestore(t *testing.T) {
	data, other := t.TempDir(), filepath.Join(t.TempDir(), "data")
	if err := synthetictest.WriteBatch(filepath.Join(data, batch.FolderName), batch.Name{Partition: 2, First: 0, Last: 4}, []byte("1,v,view,i,,e\n")); err != nil {
		t.Fatal(err)
	}
	dir, _, err := backup.Save(t.Context(), data, t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	env := func(name string) string { return map[string]string{"DATA_DIR": other}[name] }
	for _, c := range []struct {
		args []string
		code int
		says []string
	}{
		{nil, 2, []string{"--from is missing"}},
		{[]string{"--from", data}, 1, []string{"it is no backup"}},
		{[]string{"--from", dir, "--verify"}, 0, []string{"sound: 1 batch files, 0 versions"}},
		{[]string{"--from", dir}, 0, []string{"restored 1 batch files", "no champion", "partition 2: a consumer goes on at offset 5"}},
		{[]string{"--from", dir}, 1, []string{"there are data already", "--force"}},
		{[]string{"--from", dir, "--force"}, 0, []string{"restored 1 batch files", "what was there is in " + other}},
	} {
		var out bytes.Buffer
		code := run(t.Context(), c.args, env, &out, &out)
		for _, says := range c.says {
			if code != c.code || !strings.Contains(out.String(), says) {
				t.Errorf("%v: code %d, %s", c.args, code, out.String())
			}
		}
	}
}
