package trial

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	jsonv2 "github.com/go-json-experiment/json"
)

// Folder is a run's folder: run.json and one file a trial.
type Folder string

// ErrDamaged says that a result file was truncated or altered.
var ErrDamaged = errors.New("damaged result file")

// envelope is what a trial's file holds: the body and its checksum.
type envelope struct {
	Format int             `json:"format"`
	SHA256 string          `json:"sha256"`
	Trial  json.RawMessage `json:"trial"`
}

// split takes apart what WriteTrial wrote, byte by byte the same, without reading
// the body for it. Any other form, such as one that an editor has laid out anew,
// is left to the JSON reader.
func (e *envelope) split(b []byte) bool {
	head := fmt.Sprintf(`{"format":%d,"sha256":"`, Format)
	const sum, middle = 2 * sha256.Size, `","trial":`
	if len(b) < len(head)+sum+len(middle)+1 || !bytes.HasPrefix(b, []byte(head)) || b[len(b)-1] != '}' {
		return false
	}
	rest := b[len(head):]
	body, ok := bytes.CutPrefix(rest[sum:len(rest)-1], []byte(middle))
	*e = envelope{Format, string(rest[:sum]), body}
	return ok
}

// whole says whether the body is the one that was written.
func (e *envelope) whole() bool {
	sum := sha256.Sum256(e.Trial)
	return hex.EncodeToString(sum[:]) == e.SHA256
}

func (f Folder) path(elem ...string) string {
	return filepath.Join(append([]string{string(f)}, elem...)...)
}

// Path joins names to the folder's path.
func (f Folder) Path(elem ...string) string { return f.path(elem...) }

// WriteTrial keeps a trial under trials/<key>.json. It is written once: an
// existing file is an error.
func (f Folder) WriteTrial(t Trial) error {
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("trial %s: %w", t.Key, err)
	}
	sum := sha256.Sum256(body)
	b, err := json.Marshal(envelope{Format, hex.EncodeToString(sum[:]), body})
	if err != nil {
		return fmt.Errorf("trial %s: %w", t.Key, err)
	}
	path := f.path("trials", t.Key+".json")
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("trial %s: %s is there already and is never changed", t.Key, path)
	}
	return f.WriteFile("trials/"+t.Key+".json", b)
}

// ReadTrial reads one trial's file and checks it, its name too.
func ReadTrial(path string) (Trial, error) {
	t, err := readTrial(path)
	if err == nil && filepath.Base(path) != t.Key+".json" { // a copy would count twice
		return t, fmt.Errorf("%w: %s holds the trial %s: a copy is to be deleted, a renamed file to be called %s.json",
			ErrDamaged, path, t.Key, t.Key)
	}
	return t, err
}

// readTrial reads a trial from a file of any name.
func readTrial(path string) (Trial, error) {
	var e envelope
	var t Trial
	b, err := os.ReadFile(path)
	if err != nil {
		return t, err
	}
	if !e.split(b) || !e.whole() { // what is wrong with it is best told by the JSON reader
		if err := decode(path, b, &e); err != nil {
			return t, fmt.Errorf("%w: delete it and resume the run to measure it again", err)
		}
		if !e.whole() {
			return t, fmt.Errorf("%w: %s does not match its checksum: restore it, or delete it and resume the run", ErrDamaged, path)
		}
	}
	if err := jsonv2.Unmarshal(e.Trial, &t); err != nil {
		return t, fmt.Errorf("%w: %s: %v", ErrDamaged, path, err)
	}
	if !slices.Contains([]Status{OK, Aborted}, t.Status) {
		return t, fmt.Errorf("%w: %s has the status %q; want ok or aborted: delete it and resume the run", ErrDamaged, path, t.Status)
	}
	return t, nil
}

// trialFile is what Spec.Key makes, so that whatever else lies among the trials
// (._x.json of macOS, an editor's copy) is left alone.
var trialFile = regexp.MustCompile(`^[a-z][a-z0-9-]*-[0-9a-f]{12}-[^/]+-b[0-9]{2,}-t[0-9]+\.json$`)

// Trials reads all trials of the run in the order in which they were made. A
// folder without any gives an empty slice; files that are not named as trials
// are none.
func (f Folder) Trials() ([]Trial, error) {
	entries, err := os.ReadDir(f.path("trials")) // no Glob: a path is no pattern
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.IsDir() || !trialFile.MatchString(e.Name()) })
	trials, errs := make([]Trial, len(entries)), make([]error, len(entries))
	var readers sync.WaitGroup
	next := atomic.Int64{}
	for range runtime.GOMAXPROCS(0) {
		readers.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(entries); i = next.Add(1) - 1 {
				trials[i], errs[i] = ReadTrial(f.path("trials", entries[i].Name()))
			}
		})
	}
	readers.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	sort.SliceStable(trials, func(i, j int) bool { return trials[i].Order < trials[j].Order })
	return trials, nil
}

// Misnamed says, in a line each, which files hold a trial and are not named as
// it is, so that Trials left them out. A copy of a trial that is there is none.
func (f Folder) Misnamed() (lines []string, err error) {
	entries, err := os.ReadDir(f.path("trials"))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || trialFile.MatchString(e.Name()) {
			continue
		}
		path := f.path("trials", e.Name())
		t, err := readTrial(path)
		if err != nil || t.Key == "" {
			continue
		}
		if _, err := os.Stat(f.path("trials", t.Key+".json")); errors.Is(err, fs.ErrNotExist) {
			lines = append(lines, fmt.Sprintf("%s holds a trial and is left out, since no trial is named so: call it %s.json again", path, t.Key))
		}
	}
	return lines, nil
}

// Read reads a run whole: its manifest and its trials, each of which must be of
// an experiment of this run.
func (f Folder) Read() (Run, []Trial, error) {
	r, err := f.ReadRun()
	if err != nil {
		return r, nil, err
	}
	trials, err := f.Trials()
	if err != nil {
		return r, nil, err
	}
	for _, t := range trials {
		if e := t.Spec.Experiment; !slices.Contains(r.Experiments, e) {
			return r, nil, fmt.Errorf("%s is a trial of the experiment %q, and this run has %s: move it to the run it was made in",
				f.path("trials", t.Key+".json"), e, strings.Join(r.Experiments, ", "))
		}
	}
	return r, trials, nil
}

// WriteRun writes the manifest in today's format, replacing an earlier state of it.
func (f Folder) WriteRun(r Run) error {
	r.Format = Format
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("run.json: %w", err)
	}
	return f.WriteFile("run.json", append(b, '\n'))
}

// ReadRun reads the manifest and checks that each rule still has the hash that
// was noted before the first trial.
func (f Folder) ReadRun() (Run, error) {
	var r Run
	b, err := os.ReadFile(f.path("run.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%s holds no run.json: name a run's folder, such as results/reference", f)
	}
	if err != nil {
		return r, err
	}
	if err := decode(f.path("run.json"), b, &r); err != nil {
		return r, err
	}
	if r.Profile == SelfTest {
		return r, fmt.Errorf("%s holds a self-test of the instrument, which is no run: its checks are in selftest.json, if it came to its end", f)
	}
	if err := r.check(); err != nil {
		return r, fmt.Errorf("%w: %s %w: restore it, or measure anew", ErrDamaged, f.path("run.json"), err)
	}
	if len(r.Rules) != len(r.RuleHashes) {
		return r, fmt.Errorf("%w: %s has %d rules and %d rule hashes", ErrDamaged, f.path("run.json"), len(r.Rules), len(r.RuleHashes))
	}
	for i, rule := range r.Rules {
		if rule.Hash() != r.RuleHashes[i] {
			return r, fmt.Errorf("%w: %s: the rule of %s was changed after the run began", ErrDamaged, f.path("run.json"), rule.Claim)
		}
	}
	return r, nil
}
