//go:build !amd64

package recommend

var reach = reachPortable
