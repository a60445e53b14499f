// Package e2e tests the whole pipeline from outside: the programs, started as a user starts them, against a real broker and a real
// cluster. Its tests carry the build tag integration; the package itself holds nothing.
package e2e
