// Command models looks after the trained versions: it lists and compares them, and says which one is served. --help lists its commands.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr)) }
