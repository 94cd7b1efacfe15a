package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What a cell of SECURITY.md may say.
const (
	required   = "required"    // holds at once, on every replica
	oneReplica = "one replica" // holds at once, on the replica that was asked
	bounded    = "bounded"     // holds after the bound that /config declares
	impossible = "impossible"  // the note says why, and which experiment measures it
	none       = "-"           // the arm has nothing that it could apply to
)

// allArms are the columns of the matrix.
var allArms = []string{"session/memory", "session/redis", "session/postgres", "session/cookie", "jwt/HS256", "jwt/RS256", "jwt/ES256", "jwt/EdDSA"}

// row is one check of the matrix.
type row struct {
	id, note string
	cells    map[string]string // by arm
}

// holds says whether the check holds in an arm, at once or after a bound.
func (r row) holds(arm string) bool {
	cell := r.cells[arm]
	return cell == required || cell == oneReplica || cell == bounded
}

// readMatrix reads the tables of SECURITY.md: a header of arms, rows of checks.
func readMatrix(t testing.TB) (rows []row) {
	t.Helper()
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
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
			r := row{id: fields[0], note: fields[len(fields)-1], cells: make(map[string]string)}
			for i, arm := range arms {
				r.cells[arm] = fields[2+i]
			}
			rows = append(rows, r)
		case arms != nil:
			t.Errorf("SECURITY.md: %d fields, want %d: %s", len(fields), len(arms)+3, line)
		}
	}
	return rows
}

// checkIDs are the lines that the servers are held to.
func checkIDs() (ids []string) {
	for _, group := range []struct {
		letter string
		n      int
	}{{"C", 20}, {"S", 6}, {"J", 12}, {"L", 14}} {
		for i := range group.n {
			ids = append(ids, group.letter+string(rune('0'+(i+1)/10))+string(rune('0'+(i+1)%10)))
		}
	}
	return ids
}

var checkName = regexp.MustCompile(`^Test([A-Z]\d\d)_`)

// namedTests lists which checks have a test of their name, and which of those
// run over the arms that the matrix names.
func namedTests(t *testing.T) map[string]bool {
	t.Helper()
	named := make(map[string]bool)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			if m := checkName.FindStringSubmatch(funcName(d)); m != nil {
				named[m[1]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return named
}

// TestMatrixIsComplete holds SECURITY.md to the tests: every check and every arm
// is there, and whatever is required or bounded has a test that carries its
// number. Tests run over the arms by the matrix itself (see eachCell), so that a
// cell is what is tested; a cell that no test took up fails the run (TestMain).
func TestMatrixIsComplete(t *testing.T) {
	rows, named := readMatrix(t), namedTests(t)
	for _, id := range checkIDs() {
		n := 0
		for _, r := range rows {
			if r.id == id {
				n++
			}
		}
		if n != 1 {
			t.Errorf("SECURITY.md has %d rows of %s, want one", n, id)
		}
	}
	for _, r := range rows {
		if !slices.Contains(checkIDs(), r.id) {
			t.Errorf("SECURITY.md: %q is no check", r.id)
		}
		tested := false
		for _, arm := range allArms {
			switch r.cells[arm] {
			case required, oneReplica, bounded:
				tested = true
			case impossible:
				if !strings.Contains(r.note, "experiment") {
					t.Errorf("%s: impossible in %s; the note must name the experiment that measures it", r.id, arm)
				}
			case none:
			default:
				t.Errorf("%s: %s says %q", r.id, arm, r.cells[arm])
			}
			if c := r.cells[arm]; (c == oneReplica || c == bounded) && r.note == "" {
				t.Errorf("%s: %s in %s, and no note says by what", r.id, c, arm)
			}
		}
		if len(r.cells) != len(allArms) {
			t.Errorf("%s has %d arms, want %d", r.id, len(r.cells), len(allArms))
		}
		if tested && !named[r.id] {
			t.Errorf("%s is required, and no test is named Test%s_...", r.id, r.id)
		}
		if !tested && r.note == "" {
			t.Errorf("%s is required nowhere, and no note says why", r.id)
		}
	}
}
