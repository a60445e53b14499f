package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"cartwheel/internal/batch"
	"cartwheel/internal/synthetic/synthetictest"
)

func TestBackup(t *testing.T) {
	data, to := t.TempDir(), filepath.Join(t.TempDir(), "backups")
	env := func(name string) string { return map[string]string{"DATA_DIR": data}[name] }
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 2, "--to is missing"},
		{[]string{"--to", to}, 1, "nothing to back up"},
		{[]string{"--help"}, 0, "--to"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), c.args, env, &out, &out); code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("%v: code %d, %s", c.args, code, out.String())
		}
	}
	if err := synthetictest.WriteBatch(filepath.Join(data, batch.FolderName), batch.Name{Partition: 2, First: 0, Last: 4}, []byte("1,v,view,i,,e\n")); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"--to", to}, env, &out, &errs); code != 0 || errs.Len() > 0 ||
		!strings.HasPrefix(out.String(), to) || !strings.Contains(out.String(), "1 batch files, 0 versions, champion none") || !strings.Contains(out.String(), "partition 2 up to offset 4") {
		t.Errorf("code %d, %s%s", code, out.String(), errs.String())
	}
}
