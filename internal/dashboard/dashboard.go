// Package dashboard holds the page that people look at: HTML, styles and ES modules, embedded, without a build step.
//
// It promises that the page needs nothing from any other host and runs no script but its own files: the policy that goes with it
// says so to the browser. The package knows nothing of what is shown: the page asks the API like any other client.
package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"path"
)

//go:embed assets
var files embed.FS

// Policy is the Content-Security-Policy of the page.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Asset is a file of the page.
type Asset struct {
	Type string // its media type
	Tag  string // its ETag: strong, for the file never changes within one program
	Body []byte
}

// PageName is the asset that is the page itself.
const PageName = "index.html"

// Assets are all files of the page, by name.
var Assets = load()

func load() map[string]Asset {
	entries, err := files.ReadDir("assets")
	if err != nil {
		panic(err) // the folder is embedded
	}
	all := map[string]Asset{}
	for _, e := range entries {
		body, err := files.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		all[e.Name()] = Asset{Type: mediaType(e.Name()), Tag: `"` + hex.EncodeToString(sum[:8]) + `"`, Body: body}
	}
	return all
}

// types are those of the page's files: what package mime knows differs from machine to machine.
var types = map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}

func mediaType(name string) string {
	kind, ok := types[path.Ext(name)]
	if !ok {
		panic(fmt.Sprintf("dashboard: %s has no known type", name))
	}
	return kind
}
