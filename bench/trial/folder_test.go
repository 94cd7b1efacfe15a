package trial_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"authbench/bench/trial"
)

// lockFolder in the environment makes this binary lock a folder and wait to be killed.
const lockFolder = "AUTHBENCH_TEST_LOCK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(lockFolder); dir != "" {
		if _, err := trial.Folder(dir).Lock(); err != nil {
			log.Fatal(err)
		}
		fmt.Println("locked")
		io.Copy(io.Discard, os.Stdin) // until it is killed, or the test has gone
		return
	}
	os.Exit(m.Run())
}

// goodRun is a manifest with nothing that a reader could object to.
func goodRun() trial.Run {
	r := trial.Run{Format: trial.Format, Name: "x", Status: "complete", Profile: "smoke", Runtime: "native", Experiments: []string{"cost"},
		Rules: []trial.Rule{{Claim: "C01", Experiment: "cost", Margin: 2}}}
	r.RuleHashes = []string{r.Rules[0].Hash()}
	return r
}

func goodTrial(block int) trial.Trial {
	return trial.Trial{Key: spec().Key(block, 1), Spec: spec(), Block: block, Attempt: 1, Order: block, Status: trial.OK}
}

// goodFolder is a run of two trials in a folder of this name.
func goodFolder(t *testing.T, name string) trial.Folder {
	t.Helper()
	f := trial.Folder(filepath.Join(t.TempDir(), name))
	if err := f.WriteRun(goodRun()); err != nil {
		t.Fatal(err)
	}
	for block := 1; block <= 2; block++ {
		if err := f.WriteTrial(goodTrial(block)); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestAPathIsNoPattern(t *testing.T) {
	for _, name := range []string{"v[1]", "a*b?", "with space", "-dash", "new\nline", `back\slash`, "ünï", "x=1,y", "[", "'q\"", "$HOME"} {
		if _, trials, err := goodFolder(t, name).Read(); err != nil || len(trials) != 2 {
			t.Errorf("a run in %q: %d trials, %v; want its 2", name, len(trials), err)
		}
	}
	f := goodFolder(t, "run")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(string(f), link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(string(f))
	for _, dir := range []trial.Folder{trial.Folder(link), ".", "../run/", "./trials/.."} {
		if _, trials, err := dir.Read(); err != nil || len(trials) != 2 {
			t.Errorf("a run at %q: %d trials, %v; want its 2", dir, len(trials), err)
		}
	}
}

func TestManifestThatIsNone(t *testing.T) {
	good, err := json.Marshal(goodRun())
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, new string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("the good manifest has no %s", old)
		}
		return strings.Replace(string(good), old, new, 1)
	}
	for text, want := range map[string]string{
		"":                                   "is not whole JSON",
		"{}":                                 "names no status",
		"null":                               "holds no JSON object",
		"[]":                                 "holds no JSON object",
		string(good[:len(good)-9]):           "is not whole JSON",
		string(good) + "{}":                  "is not whole JSON",
		with(`"margin":2`, `"margin":NaN`):   "is not whole JSON",
		with(`"seed":0`, `"seed":-1`):        "seed",
		with(`"name"`, `"status":"","name"`): `"status"`, // the second one would be read
		with("complete", "done"):             `has the status "done"; want one of running, complete, interrupted, failed`,
		with("complete", ""):                 "names no status",
		with("smoke", "huge"):                `has the profile "huge"; want one of smoke, standard, full`,
		with("native", "podman"):             `has the runtime "podman"; want one of native, compose`,
		with(`["cost"]`, `[]`):               "names no experiment",
		with(`"ruleHashes":["`, `"ruleHashes":["","`): "1 rules and 2 rule hashes",
		with(`"format":2`, `"format":3`):              "is in format 3, and this build of authbench reads format 2: use a newer build",
		with(`"format":2`, `"format":-1`):             "is in format -1",
		`{"format":3,"status":["new","layout"]}`:      "is in format 3",
		with(`"format":2`, `"format":"1"`):            "format",
	} {
		f := trial.Folder(t.TempDir())
		if err := f.WriteFile("run.json", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.ReadRun(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), f.Path("run.json")) {
			t.Errorf("%.60q: %v; want an error that names the file and holds %q", text, err, want)
		}
	}
}

// Files from before the number are of format 1, which is refused in one line.
func TestFormatIsWrittenAndOlderOnesAreRefused(t *testing.T) {
	f := goodFolder(t, "run")
	for _, path := range []string{f.Path("trials", goodTrial(1).Key+".json"), f.Path("run.json")} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(b, &fields); err != nil || string(fields["format"]) != fmt.Sprint(trial.Format) {
			t.Errorf("%s: format %s, %v; want %d", path, fields["format"], err, trial.Format)
		}
		delete(fields, "format")
		if b, err = json.Marshal(fields); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.Read(); err == nil || !strings.Contains(err.Error(), path+" is in format 1 of an older authbench") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%v; want one line that names the file, its format and what to do", err)
		}
	}
}

func TestWhatLiesAmongTrials(t *testing.T) {
	key := goodTrial(1).Key
	for name, want := range map[string]string{ // an empty want: it is left alone
		"._" + key + ".json": "", ".DS_Store": "", "._x.json": "", "desktop.ini": "", "notes.json": "", "#" + key + ".json#": "",
		key + ".json~": "", key + " (1).json": "", "." + key + ".json.123": "",
		goodTrial(3).Key + ".json": "is not whole JSON",
	} {
		f := goodFolder(t, "run")
		if err := os.WriteFile(f.Path("trials", name), []byte("Mac OS X"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(f.Path("trials", goodTrial(9).Key+".json"), 0o755); err != nil { // a folder is no trial
			t.Fatal(err)
		}
		_, trials, err := f.Read()
		if want == "" && (err != nil || len(trials) != 2) {
			t.Errorf("%s: %d trials, %v; want the 2 and no error", name, len(trials), err)
		}
		if want != "" && (!errors.Is(err, trial.ErrDamaged) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name)) {
			t.Errorf("%s: %v; want ErrDamaged that names it and holds %q", name, err, want)
		}
	}
}

// A trial is found again by whatever name its experiment may have.
func TestNamesOfExperimentsAreReadBack(t *testing.T) {
	for _, name := range []string{"cost", "cost2", "wrong-user", "a-0123456789ab-a"} {
		f, tr := trial.Folder(t.TempDir()), goodTrial(1)
		tr.Spec.Experiment = name
		tr.Key = tr.Spec.Key(tr.Block, tr.Attempt)
		if err := tr.Spec.Check(); err != nil {
			t.Error(err)
		}
		if err := f.WriteTrial(tr); err != nil {
			t.Fatal(err)
		}
		if trials, err := f.Trials(); err != nil || len(trials) != 1 {
			t.Errorf("%s: %d trials, %v; want the one", name, len(trials), err)
		}
	}
}

func TestTrialThatIsNotThisRuns(t *testing.T) {
	write := func(f trial.Folder, t trial.Trial) error { return f.WriteTrial(t) }
	other := goodTrial(3)
	other.Spec.Experiment = "revoke"
	other.Key = other.Spec.Key(3, 1)
	odd := goodTrial(3)
	odd.Status = "fine"
	for want, put := range map[string]func(f trial.Folder) error{
		`of the experiment "revoke", and this run has cost`: func(f trial.Folder) error { return write(f, other) },
		`has the status "fine"`:                             func(f trial.Folder) error { return write(f, odd) },
		"holds the trial " + goodTrial(1).Key: func(f trial.Folder) error { // a copy would count twice
			return os.Link(f.Path("trials", goodTrial(1).Key+".json"), f.Path("trials", goodTrial(3).Key+".json"))
		},
		"is in format 3, and this build of authbench reads format 2: use a newer build": func(f trial.Folder) error {
			return f.WriteFile("trials/"+goodTrial(3).Key+".json", []byte(`{"format":3,"sha256":5,"body":{}}`))
		},
		"holds no JSON object": func(f trial.Folder) error {
			return f.WriteFile("trials/"+goodTrial(3).Key+".json", []byte(`null`))
		},
	} {
		f := goodFolder(t, "run")
		if err := put(f); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.Read(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), f.Path("trials")) {
			t.Errorf("%v; want an error that names the file and holds %q", err, want)
		}
	}
}

func TestOneMeasurerAFolder(t *testing.T) {
	f := trial.Folder(filepath.Join(t.TempDir(), "new"))
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), lockFolder+"="+string(f))
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Process.Kill()
	var said string
	if _, err := fmt.Fscanln(out, &said); err != nil || said != "locked" {
		t.Fatalf("the other process says %q, %v", said, err)
	}
	if _, err := f.Lock(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d", other.Process.Pid)) ||
		!strings.Contains(err.Error(), string(f)) {
		t.Errorf("a second measurer: %v; want an error that names the folder and process %d", err, other.Process.Pid)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	unlock, err := f.Lock() // what the killed one left is no lock
	if err != nil {
		t.Fatalf("after the first was killed: %v", err)
	}
	if _, err := f.Lock(); err == nil {
		t.Error("a lock that is held was given again within one process")
	}
	unlock()
	if left, err := os.ReadDir(string(f)); err != nil || len(left) > 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
	if unlock, err = f.Lock(); err != nil {
		t.Errorf("after it was let go: %v", err)
	} else {
		unlock()
	}
}

// What a killed measurer had not written to its end is gone when the next one
// comes; what a report is about to write, and what others keep there, is not.
func TestTheNextMeasurerRemovesWhatIsHalfWritten(t *testing.T) {
	f := goodFolder(t, "run")
	kept := []string{".report.html.3", "trials/._x.json", "trials/notes.json.1"}
	for _, name := range append([]string{".run.json.17", "trials/." + goodTrial(1).Key + ".json.4711"}, kept...) {
		if err := os.WriteFile(filepath.Join(string(f), name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unlock, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	var left []string
	for _, pattern := range []string{".*", "trials/.*", "trials/notes*"} {
		found, err := fs.Glob(os.DirFS(string(f)), pattern)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, found...)
	}
	left = slices.DeleteFunc(left, func(name string) bool { return name == "." })
	if !slices.Equal(left, kept) {
		t.Errorf("%q are left, want %q", left, kept)
	}
	if _, trials, err := f.Read(); err != nil || len(trials) != 2 {
		t.Errorf("%d trials, %v; want both that were whole", len(trials), err)
	}
}
