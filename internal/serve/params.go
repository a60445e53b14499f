package serve

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/event"
	"cartwheel/internal/recommend"
)

const (
	defaultLimit = 10
	maxLimit     = 100
	maxOffset    = 10_000
	maxFilterIDs = 1000
)

// listParams are the query parameters of lists of items for somebody.
var listParams = []string{"limit", "offset", "seen", "exclude", "only", "category", "explain"}

// query reads the query string: every parameter once, and none that this path does not know. A misspelt parameter that was passed
// over would look like a wrong answer. exclude and only may come several times.
func query(c *gin.Context, known ...string) (url.Values, *badField) {
	if c.Request.URL.RawQuery == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, &badField{detail: fmt.Sprintf("the query string cannot be read: %v", err)}
	}
	for name, all := range values {
		if !slices.Contains(known, name) {
			return nil, &badField{field: name, detail: fmt.Sprintf("there is no parameter %s here, but %s", show(name), cmp.Or(strings.Join(known, ", "), "none at all"))}
		}
		if len(all) > 1 && name != "exclude" && name != "only" {
			return nil, &badField{field: name, detail: fmt.Sprintf("%s is given %d times", name, len(all))}
		}
	}
	return values, nil
}

// listQuery reads the query string for a list of items, in which the path knows these parameters. Where something is wrong it answers, and
// returns false.
func (v *served) listQuery(c *gin.Context, includeSeen bool, known ...string) (values url.Values, o recommend.Options, ok bool) {
	values, bad := query(c, known...)
	if bad == nil {
		o, bad = v.listOptions(values, includeSeen)
	}
	if bad != nil {
		refuse(c, bad)
	}
	return values, o, bad == nil
}

// listOptions reads the parameters that every list of items has. includeSeen is what holds without the parameter seen.
func (v *served) listOptions(values url.Values, includeSeen bool) (recommend.Options, *badField) {
	o := recommend.Options{Limit: defaultLimit, IncludeSeen: includeSeen}
	if values == nil {
		return o, nil
	}
	var bad *badField
	if o.Limit, bad = whole(values, "limit", 1, maxLimit, defaultLimit); bad != nil {
		return o, bad
	}
	if o.Offset, bad = whole(values, "offset", 0, maxOffset, 0); bad != nil {
		return o, bad
	}
	if values.Has("seen") {
		switch seen := values.Get("seen"); seen {
		case "include":
			o.IncludeSeen = true
		case "exclude":
			o.IncludeSeen = false
		default:
			return o, &badField{field: "seen", detail: fmt.Sprintf("seen is %s, not include or exclude", show(seen))}
		}
	}
	if values.Has("explain") {
		switch explain := values.Get("explain"); explain {
		case "true", "false":
			o.Explain = explain == "true"
		default:
			return o, &badField{field: "explain", detail: fmt.Sprintf("explain is %s, not true or false", show(explain))}
		}
	}
	if o.Exclude, bad = idList(values, "exclude"); bad != nil {
		return o, bad
	}
	if o.Only, bad = idList(values, "only"); bad != nil {
		return o, bad
	}
	if values.Has("category") {
		o.Category = values.Get("category")
		if err := event.ValidateID("category", o.Category); err != nil {
			return o, &badField{field: "category", detail: err.Error()}
		}
		if !v.HasCategory(o.Category) {
			return o, &badField{field: "category", detail: fmt.Sprintf("version %s does not know the category %s", v.version, show(o.Category)), status: http.StatusNotFound}
		}
	}
	return o, nil
}

func whole(values url.Values, name string, least, most, otherwise int) (int, *badField) {
	if !values.Has(name) {
		return otherwise, nil
	}
	text := values.Get(name)
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most || text[0] == '+' {
		return 0, &badField{field: name, detail: fmt.Sprintf("%s is %s, not a whole number between %d and %d", name, show(text), least, most)}
	}
	return n, nil
}

// idList reads ids between commas. An id that itself holds a comma cannot be named here.
func idList(values url.Values, name string) ([]string, *badField) {
	var ids []string
	for _, list := range values[name] {
		ids = append(ids, strings.Split(list, ",")...)
	}
	if len(ids) > maxFilterIDs {
		return nil, &badField{field: name, detail: fmt.Sprintf("%s names %d items, more than %d", name, len(ids), maxFilterIDs)}
	}
	for _, id := range ids {
		if err := event.ValidateID("itemid", id); err != nil {
			return nil, &badField{field: name, detail: fmt.Sprintf("%s: %v", name, err)}
		}
	}
	return ids, nil
}

// pathID reads an id out of the path.
func pathID(c *gin.Context, name string) (string, bool) {
	id, err := url.PathUnescape(c.Param(name))
	if err == nil {
		err = event.ValidateID(name, id)
	}
	if err != nil {
		fail(c, http.StatusBadRequest, name, err.Error())
		return "", false
	}
	return id, true
}

// show quotes what a client sent, cut so that no answer or log grows with it.
func show(text string) string {
	const most = 48
	if len(text) > most {
		return fmt.Sprintf("%q… (%d bytes)", text[:most], len(text))
	}
	return strconv.Quote(text)
}
