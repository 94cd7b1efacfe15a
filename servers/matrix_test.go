package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"authbench/servers/api"
	"authbench/servers/matrix"
)

const (
	required   = matrix.Required
	oneReplica = matrix.OneReplica
	bounded    = matrix.Bounded
)

func readMatrix(t testing.TB) []matrix.Row {
	t.Helper()
	rows, err := matrix.Read("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// checkIDs are the lines that the servers are held to.
func checkIDs() (ids []string) {
	for _, group := range []struct {
		letter string
		n      int
	}{{"G", 23}, {"S", 7}, {"J", 13}, {"L", 14}} {
		for i := range group.n {
			ids = append(ids, fmt.Sprintf("%s%02d", group.letter, i+1))
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
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
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
	var arms []string
	for _, k := range kinds() {
		if k.carrier != api.CarrierNone && !k.foreign && (k.column == "" || k.column == k.name) {
			arms = append(arms, k.name)
		}
	}
	if !slices.Equal(matrix.Arms(), arms) {
		t.Errorf("the matrix has the arms %v, want %v", matrix.Arms(), arms)
	}
	for _, id := range checkIDs() {
		n := 0
		for _, r := range rows {
			if r.ID == id {
				n++
			}
		}
		if n != 1 {
			t.Errorf("SECURITY.md has %d rows of %s, want one", n, id)
		}
	}
	for _, r := range rows {
		if !slices.Contains(checkIDs(), r.ID) {
			t.Errorf("SECURITY.md: %q is no check", r.ID)
		}
		tested := false
		for _, arm := range matrix.Arms() {
			switch r.Cells[arm] {
			case required, oneReplica, bounded:
				tested = true
			case matrix.Impossible:
				if !strings.Contains(r.Note, "experiment") {
					t.Errorf("%s: impossible in %s; the note must name the experiment that measures it", r.ID, arm)
				}
			case matrix.None:
			default:
				t.Errorf("%s: %s says %q", r.ID, arm, r.Cells[arm])
			}
			if c := r.Cells[arm]; (c == oneReplica || c == bounded) && r.Note == "" {
				t.Errorf("%s: %s in %s, and no note says by what", r.ID, c, arm)
			}
		}
		if len(r.Cells) != len(matrix.Arms()) {
			t.Errorf("%s has %d arms, want %d", r.ID, len(r.Cells), len(matrix.Arms()))
		}
		if tested && !named[r.ID] {
			t.Errorf("%s is required, and no test is named Test%s_...", r.ID, r.ID)
		}
		if !tested && r.Note == "" {
			t.Errorf("%s is required nowhere, and no note says why", r.ID)
		}
	}
}
