package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Source identifies where rows come from: a file keeps its Source when rows are appended to it, when it is compressed, and when it
// is piped instead of opened.
type Source [sha256.Size]byte

// SourceOf derives a source's identity from its header line and its first row, both without line ends.
func SourceOf(header, first []byte) Source {
	b := make([]byte, 0, len(header)+len(first)+1)
	b = append(append(append(b, header...), '\n'), first...)
	return sha256.Sum256(b)
}

func (s Source) String() string { return hex.EncodeToString(s[:]) }

// IDBytes is the length of an id that this package gives.
const IDBytes = 24

// AppendID appends the id of one row: the first 24 hex digits of SHA-256 over the source, the row's number in it and its bytes.
// The same row of the same source has the same id whenever it is read; an exact duplicate on another line has another one.
func (s *Source) AppendID(dst []byte, row int64, line []byte) []byte {
	var room [256]byte
	b := append(room[:0], s[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(row))
	b = append(b, line...)
	sum := sha256.Sum256(b)
	return hex.AppendEncode(dst, sum[:IDBytes/2])
}
