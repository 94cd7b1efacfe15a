// Package docs holds what the project's texts say of its own parts: the walls
// between rooms, and that every file they name is there.
package docs

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module is the prefix of our own import paths.
const module = "authbench/"

// room is a package of ours as go list has it.
type room struct {
	ImportPath                         string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

// name is the room's folder.
func (r room) name() string { return strings.TrimPrefix(r.ImportPath, module) }

// own keeps the rooms among some imports.
func own(imports ...string) (names []string) {
	for _, path := range imports {
		if name, ours := strings.CutPrefix(path, module); ours {
			names = append(names, name)
		}
	}
	return names
}

func rooms(t *testing.T) (all []room) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,GoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir, cmd.Stderr = "..", os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var r room
		if err := dec.Decode(&r); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
}

var (
	tableRow = regexp.MustCompile("(?m)^\\| `([^`|]+)` \\|(.*)\\|$")
	code     = regexp.MustCompile("`([^`]+)`")
	link     = regexp.MustCompile(`\]\(([^)#\s]+)`)
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// section is the part of a text under a heading, up to the next of its level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("architecture.md has no section %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// codes are the words set as code in a line.
func codes(line string) (words []string) {
	for _, m := range code.FindAllStringSubmatch(line, -1) {
		words = append(words, m[1])
	}
	return words
}

// The last column of the tables of rooms lists all of ours that a room may import.
func TestRoomsImportOnlyWhatTheirRowAllows(t *testing.T) {
	rows := tableRow.FindAllStringSubmatch(section(t, read(t, "architecture.md"), "Rooms"), -1)
	may := map[string][]string{}
	for _, row := range rows {
		columns := strings.Split(row[2], "|")
		may[row[1]] = codes(columns[len(columns)-1])
	}
	for _, r := range rooms(t) {
		allowed, there := may[r.name()]
		if !there {
			t.Errorf("%s is in no table of rooms in docs/architecture.md", r.name())
			continue
		}
		delete(may, r.name())
		imports := own(r.Imports...)
		tests := own(slices.Concat(r.TestImports, r.XTestImports)...)
		if len(r.GoFiles) == 0 { // tests are all there is of it
			imports, tests = tests, nil
		}
		for _, name := range imports {
			if !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s: its row in docs/architecture.md allows %v", r.name(), name, allowed)
			}
		}
		for _, name := range tests { // a test may look into any room of its own half
			if half(name) != half(r.name()) {
				t.Errorf("tests of %s import %s: want rooms of %s alone", r.name(), name, half(r.name()))
			}
		}
	}
	for name := range may {
		t.Errorf("docs/architecture.md has a row for %s, which is no package", name)
	}
}

// half is servers or bench.
func half(name string) string {
	name, _, _ = strings.Cut(name, "/")
	return name
}

// texts are those that send a reader to files of the project.
func texts(t *testing.T) []string {
	t.Helper()
	more, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(more, "../README.md", "../CONTRIBUTING.md", "../servers/SECURITY.md")
}

// ourPath tells a file or folder of the project: NAME in it stands for any.
var ourPath = regexp.MustCompile(`^(servers|bench|loadtests|deploy|tools|docs|results)/[\w./*-]*$`)

func TestEveryFileThatATextNamesIsThere(t *testing.T) {
	for _, text := range texts(t) {
		content, named := read(t, text), 0
		for _, path := range codes(content) {
			if !ourPath.MatchString(path) || strings.HasPrefix(path, "results/") && path != "results/reference" {
				continue
			}
			named++
			wantThere(t, text, filepath.Join("..", strings.ReplaceAll(path, "NAME", "*")))
		}
		for _, m := range link.FindAllStringSubmatch(content, -1) {
			if !strings.Contains(m[1], "://") {
				named++
				wantThere(t, text, filepath.Join(filepath.Dir(text), m[1]))
			}
		}
		if named == 0 && text == "architecture.md" {
			t.Errorf("%s names no file: is it read as it is written?", text)
		}
	}
}

func wantThere(t *testing.T, text, pattern string) {
	t.Helper()
	if found, err := filepath.Glob(pattern); err != nil || len(found) == 0 {
		t.Errorf("%s names %s, which is not there", text, strings.TrimPrefix(pattern, "../"))
	}
}

var howToAdd = regexp.MustCompile(`(?m)^## (How to add .*)$`)

// In the lists of what to add, a row names files, and says what goes there by
// names that must be in one of them: an entry in `All`.
func TestWhatIsToBeAddedHasItsPlace(t *testing.T) {
	text := read(t, "architecture.md")
	headings := howToAdd.FindAllStringSubmatch(text, -1)
	if len(headings) < 6 {
		t.Fatalf("architecture.md has %d sections on how to add something: want an arm, an experiment, a fault, a metric, a chart and a store",
			len(headings))
	}
	for _, h := range headings {
		rows := strings.Split(section(t, text, h[1]), "\n| `")
		if len(rows) < 2 {
			t.Errorf("%q lists no files", h[1])
		}
		for _, row := range rows[1:] {
			row, _, _ = strings.Cut(row, "\n")
			files, what, ok := strings.Cut("`"+row, " | ")
			if !ok {
				t.Errorf("%q: the row %q has no second column", h[1], row)
			}
			var there strings.Builder
			for _, path := range codes(files) {
				found, err := filepath.Glob(filepath.Join("..", strings.ReplaceAll(path, "NAME", "*")))
				if err != nil || len(found) == 0 {
					t.Errorf("%q: there is no %s", h[1], path)
				}
				for _, f := range found {
					there.WriteString(read(t, f))
				}
			}
			for _, name := range codes(what) {
				if !ourPath.MatchString(name) && !strings.Contains(there.String(), name) {
					t.Errorf("%q: %s is in none of %s", h[1], name, files)
				}
			}
		}
	}
}
