package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// Roles, each of which may do what those before it may.
const (
	roleReader = iota // ask for recommendations and look at models
	roleWriter        // send events
	roleAdmin         // choose the champion
)

var roleNames = []string{"reader", "writer", "admin"}

// minKeyBytes keeps keys from being guessed.
const minKeyBytes = 16

// Keys are the API keys that are accepted. With none, everybody is an admin.
type Keys []key

type key struct {
	role int
	name string // safe to log: the role and where the key stands among the keys
	sum  [sha256.Size]byte
}

// ParseKeys reads "role:key,role:key". Errors do not repeat the key.
func ParseKeys(text string) (Keys, error) {
	var keys Keys
	for i, one := range strings.Split(text, ",") {
		role, secret, found := strings.Cut(strings.TrimSpace(one), ":")
		rank := slices.Index(roleNames, role)
		switch {
		case text == "":
			return nil, nil
		case !found:
			return nil, fmt.Errorf("key %d is not role:key", i+1)
		case rank < 0:
			return nil, fmt.Errorf("key %d has a role that is none of %s", i+1, strings.Join(roleNames, ", "))
		case len(secret) < minKeyBytes:
			return nil, fmt.Errorf("key %d has %d bytes, fewer than %d", i+1, len(secret), minKeyBytes)
		}
		one := key{role: rank, name: fmt.Sprintf("%s-%d", role, i+1), sum: sha256.Sum256([]byte(secret))}
		if same := slices.IndexFunc(keys, func(k key) bool { return k.sum == one.sum }); same >= 0 {
			return nil, fmt.Errorf("key %d is the same as key %d", i+1, same+1)
		}
		keys = append(keys, one)
	}
	return keys, nil
}

// find returns the key that a client presents. Checksums are compared, all of them and in constant time, so that the time taken
// tells nothing of the keys.
func (k Keys) find(secret string) (found key, err error) {
	sum := sha256.Sum256([]byte(secret))
	err = errors.New("the API key is not known")
	for _, one := range k {
		if subtle.ConstantTimeCompare(sum[:], one.sum[:]) == 1 {
			found, err = one, nil
		}
	}
	return found, err
}

// allow lets a request pass if its key has the role, and if whoever sends it does not send too many.
func (s *Server) allow(role int) gin.HandlerFunc {
	return func(c *gin.Context) {
		sender := c.ClientIP() // of the connection: no proxy is trusted
		if len(s.options.Keys) > 0 {
			k, ok := s.authenticate(c)
			if !ok {
				return
			}
			if k.role < role {
				fail(c, http.StatusForbidden, "", fmt.Sprintf("this needs a key with the role %s; this one is a %s", roleNames[role], roleNames[k.role]))
				return
			}
			sender = k.name
		}
		if wait, ok := s.limits.take(sender); !ok {
			c.Header("Retry-After", fmt.Sprint(wait))
			fail(c, http.StatusTooManyRequests, "", fmt.Sprintf("more than %g requests a second; try again in %d s", s.options.RateLimit, wait))
		}
	}
}

func (s *Server) authenticate(c *gin.Context) (key, bool) {
	scheme, secret, _ := strings.Cut(c.Request.Header.Get("Authorization"), " ")
	err := errors.New("an API key is needed, as \"Authorization: Bearer KEY\"")
	if strings.EqualFold(scheme, "Bearer") && secret != "" {
		var k key
		if k, err = s.options.Keys.find(strings.TrimSpace(secret)); err == nil {
			return k, true
		}
	}
	c.Header("WWW-Authenticate", "Bearer")
	fail(c, http.StatusUnauthorized, "", err.Error())
	return key{}, false
}
