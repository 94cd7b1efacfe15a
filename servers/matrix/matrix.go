// Package matrix reads the tables of servers/SECURITY.md: which check holds in
// which arm. Tests run by them, so that what is written there is what is tried.
package matrix

import (
	"fmt"
	"os"
	"strings"
)

// What a cell may say.
const (
	Required   = "required"    // holds at once, on every replica
	OneReplica = "one replica" // holds at once, on the replica that was asked
	Bounded    = "bounded"     // holds after the bound that /config declares
	Impossible = "impossible"  // the note says why, and which experiment measures it
	None       = "-"           // the arm has nothing that it could apply to
)

// Arms lists the columns.
func Arms() []string {
	return []string{"session/memory", "session/redis", "session/postgres", "session/postgres-unlogged", "session/cookie",
		"jwt/HS256", "jwt/RS256", "jwt/ES256", "jwt/EdDSA", "jwt/HS256+denylist"}
}

// Row is one check.
type Row struct {
	ID, Note string
	Cells    map[string]string // by arm
}

// Holds says whether the check holds in an arm, at once or after a bound.
func (r Row) Holds(arm string) bool {
	cell := r.Cells[arm]
	return cell == Required || cell == OneReplica || cell == Bounded
}

// Read reads the tables of a file: a header of arms, rows of checks.
func Read(file string) (rows []Row, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var arms []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "|") {
			arms = nil
			continue
		}
		var fields []string
		for field := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			fields = append(fields, strings.TrimSpace(field))
		}
		switch {
		case strings.HasPrefix(fields[0], "-"):
		case fields[0] == "check" && len(fields) > 3:
			arms = fields[2 : len(fields)-1]
		case arms != nil && len(fields) == len(arms)+3:
			r := Row{ID: fields[0], Note: fields[len(fields)-1], Cells: make(map[string]string)}
			for i, arm := range arms {
				r.Cells[arm] = fields[2+i]
			}
			rows = append(rows, r)
		case arms != nil:
			return nil, fmt.Errorf("%s: %d fields, want %d: %s", file, len(fields), len(arms)+3, line)
		}
	}
	return rows, nil
}
