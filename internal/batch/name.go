package batch

import (
	"fmt"
	"strconv"
	"strings"
)

// Name is what a batch file is called: it says which offsets of which partition the file covers, both ends included.
type Name struct {
	Partition int
	First     int64
	Last      int64
}

// String is the file's name: batch_<partition, 3 digits>_<first offset, 20 digits>_<last offset, 20 digits>.csv
func (n Name) String() string {
	return fmt.Sprintf("batch_%03d_%020d_%020d.csv", n.Partition, n.First, n.Last)
}

// ParseName reads a file's name. ok is false for every name that String does not write.
func ParseName(s string) (n Name, ok bool) {
	rest, ok := strings.CutPrefix(s, "batch_")
	if !ok {
		return Name{}, false
	}
	if rest, ok = strings.CutSuffix(rest, ".csv"); !ok {
		return Name{}, false
	}
	parts := strings.Split(rest, "_")
	if len(parts) != 3 {
		return Name{}, false
	}
	var numbers [3]int64
	for i, p := range parts {
		v, err := strconv.ParseInt(p, 10, 64)
		if err != nil {
			return Name{}, false
		}
		numbers[i] = v
	}
	n = Name{Partition: int(numbers[0]), First: numbers[1], Last: numbers[2]}
	return n, numbers[0] >= 0 && numbers[0] <= maxPartition && n.First >= 0 && n.First <= n.Last && n.String() == s
}

const maxPartition = 1<<31 - 1
