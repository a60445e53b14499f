//go:build !amd64

package recommend

var (
	dot   = dotPortable
	reach = reachPortable
)
