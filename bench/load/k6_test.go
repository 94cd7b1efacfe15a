package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"authbench/bench/arm"
	"authbench/bench/process"
	"authbench/bench/trial"
)

// k6 is the real one, as `make setup` builds it, with our scripts.
func k6(t *testing.T) K6 {
	t.Helper()
	if testing.Short() {
		t.Skip("starts k6: make test")
	}
	binary, err := filepath.Abs("../../bin/k6")
	if _, statErr := os.Stat(binary); err != nil || statErr != nil {
		if binary, err = exec.LookPath("k6"); err != nil {
			t.Fatal("there is no k6, neither in bin/ nor in PATH: run `make setup`")
		}
	}
	scripts, err := filepath.Abs("../../loadtests")
	if err != nil {
		t.Fatal(err)
	}
	return K6{Binary: binary, Scripts: scripts, Ledger: ledger(t), Timeout: 2 * time.Minute}
}

func ledger(t *testing.T) *process.Ledger {
	t.Helper()
	l, _, err := process.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// journey is a script that users of an arm make.
type journey struct {
	system trial.System
	script trial.Script
}

func scriptSpec(a trial.Arm, script string, users int, env map[string]string) journey {
	return journey{trial.System{Arm: a, Users: users}, trial.Script{File: script, Sources: users, Env: env}}
}

// runs carries it out.
func (j journey) runs(ctx context.Context, k K6, url string, replicas []string) (trial.Journey, error) {
	return k.Run(ctx, j.system, j.script, url, replicas)
}

func TestStickyCountsLostSessions(t *testing.T) {
	s := newSite(t, 3)
	j, err := scriptSpec("session/memory", "sticky.js", 8, map[string]string{"REQUESTS": "3000", "CLIENT_COOKIE": "1"}).runs(t.Context(),
		k6(t), s.URL, s.Replicas)
	if err != nil {
		t.Fatal(err)
	}
	if n := j.Counters["authenticated_requests"]; n != 3000 || j.Counters["requests"] != n+8 {
		t.Errorf("%v authenticated requests of %v, want 3000 and 8 log-ins more", n, j.Counters["requests"])
	}
	if share := j.Counters["lost_sessions"] / 3000; math.Abs(share-2./3) > 0.03 {
		t.Errorf("lost %.3f behind three replicas that share nothing, want 2/3", share)
	}
	// each of 8 users asked 375 times: what a user lost adds up, and its squares say that all lost alike
	if c := j.Counters; c["users_asked"] != 8 || c["users_who_lost"] != 8 ||
		c["lost_by_user_squared"] < c["lost_sessions"]*c["lost_sessions"]/8 ||
		c["lost_by_user_squared"] > 8*375*375 {
		t.Errorf("by user: %v", c)
	}
	answered := j.Counters["replica_r1"] + j.Counters["replica_r2"] + j.Counters["replica_r3"]
	if answered != 3000-j.Counters["lost_sessions"] {
		t.Errorf("replicas answered %v, want all that were not lost: %v", answered, j.Counters)
	}
	networks, clients, logins := map[string]bool{}, map[string]bool{}, 0
	for _, v := range s.log {
		networks[v.network], clients[v.client] = true, true
		if v.path == "/login" {
			logins++
		}
	}
	if len(networks) != 8 || len(clients) != 8 || clients[""] || logins != 8 {
		t.Errorf("%d source networks, %d client cookies %v, %d log-ins; want 8 of each, and a cookie in every request",
			len(networks), len(clients), clients, logins)
	}
}

// More users than seats follow one another, each with a log-in and cookies of its own.
func TestStickySeatsManyUsers(t *testing.T) {
	s := newSite(t, 3)
	s.sticky = true
	j, err := scriptSpec("session/memory", "sticky.js", 50, map[string]string{"REQUESTS": "100", "SEATS": "8", "CLIENT_COOKIE": "1"}).
		runs(t.Context(), k6(t), s.URL, s.Replicas)
	clients, logins := map[string]bool{}, 0
	for _, v := range s.log {
		clients[v.client] = true
		if v.path == "/login" {
			logins++
		}
	}
	if c := j.Counters; err != nil || c["users_asked"] != 50 || c["authenticated_requests"] != 100 || c["lost_sessions"] != 0 ||
		c["users_who_lost"] != 0 || logins != 50 || len(clients) != 50 {
		t.Errorf("%v, %v; %d log-ins, %d client cookies; want 50 users of 2 requests, none lost", c, err, logins, len(clients))
	}
}

func TestStickyKeepsRouteCookies(t *testing.T) {
	s := newSite(t, 3)
	s.sticky = true
	j, err := scriptSpec("session/memory", "sticky.js", 6, map[string]string{"REQUESTS": "300"}).runs(t.Context(), k6(t), s.URL, s.Replicas)
	if err != nil || j.Counters["lost_sessions"] != 0 || j.Counters["authenticated_requests"] != 300 {
		t.Errorf("%v, %v; want 300 requests, none lost", j.Counters, err)
	}
}

// One request a second, as somebody's k6 may be told to send by a file or by
// the environment, would be forty seconds here and a lag of seconds in revoke.js.
func TestSettingsOfTheEnvironmentStayOutside(t *testing.T) {
	home := t.TempDir()
	for _, path := range []string{"k6/config.json", ".config/k6/config.json", ".config/loadimpact/k6/config.json"} {
		path = filepath.Join(home, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(`{"rps":1}`), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	s := newSite(t, 1)
	for what, env := range map[string]map[string]string{
		"variables":             {"K6_ITERATIONS": "1", "K6_RPS": "1", "USERS": "many", "HTTP_PROXY": "http://127.0.0.1:1"},
		"file named":            {"K6_CONFIG": filepath.Join(home, "k6", "config.json")},
		"file of configuration": {"XDG_CONFIG_HOME": home},
		"file at home":          {"HOME": home, "XDG_CONFIG_HOME": ""},
	} {
		t.Run(what, func(t *testing.T) {
			for name, value := range env {
				t.Setenv(name, value)
			}
			k, began := k6(t), time.Now()
			j, err := scriptSpec("session/memory", "sticky.js", 2, map[string]string{"REQUESTS": "40"}).runs(t.Context(), k, s.URL, nil)
			if took := time.Since(began); err != nil || j.Counters["authenticated_requests"] != 40 || took > 30*time.Second {
				t.Errorf("%v, %v in %v; want all 40 requests, as fast as they go", j.Counters, err, took)
			}
		})
	}
}

func TestWhatMakesAJourneyFail(t *testing.T) {
	for name, spoil := range map[string]func(*site){
		"wrong_user":      func(s *site) { s.wrong = true },
		"failed_requests": func(s *site) { s.down = true },
	} {
		s := newSite(t, 1)
		spoil(s)
		j, err := scriptSpec("session/memory", "sticky.js", 2, map[string]string{"REQUESTS": "20"}).runs(t.Context(), k6(t), s.URL, s.Replicas)
		if !errors.Is(err, ErrThreshold) || !strings.Contains(err.Error(), name) || j.Counters[name] != 20 || j.ExitCode != 99 {
			t.Errorf("%s: %+v, %v; want ErrThreshold that names it, and the count", name, j, err)
		}
	}
}

func TestRevokeMeasuresTheLag(t *testing.T) {
	t.Run("session", func(t *testing.T) {
		s := newSite(t, 2)
		s.sticky = true
		j, err := scriptSpec("session/memory", "revoke.js", 3, map[string]string{"WATCH": "5", "SEATS": "2"}).runs(t.Context(), k6(t), s.URL,
			s.Replicas)
		if err != nil {
			t.Fatal(err)
		}
		lags := j.Samples["revocation_lag_seconds"]
		if fmt.Sprint(lags) != "[0 0 0]" || j.Counters["unauthorized_successes"] != 0 || j.Counters["refused_requests"] == 0 ||
			j.Counters["users_let_in"] != 0 || j.Counters["users_logged_out"] != 3 {
			t.Errorf("lags %v, %v; want three of 0", lags, j.Counters)
		}
	})
	t.Run("jwt", func(t *testing.T) {
		s := newSite(t, 2)
		s.jwtLife = 3 * time.Second
		j, err := scriptSpec("jwt/HS256", "revoke.js", 3, map[string]string{"WATCH": "6"}).runs(t.Context(), k6(t), s.URL, s.Replicas)
		if err != nil {
			t.Fatal(err)
		}
		lags, lives := j.Samples["revocation_lag_seconds"], j.Samples["remaining_life_seconds"]
		if len(lags) != 3 || len(lives) != 3 || j.Counters["still_alive_users"] != 0 || j.Counters["users_let_in"] != 3 {
			t.Fatalf("lags %v, lives %v, %v; want three users", lags, lives, j.Counters)
		}
		for i := range lags {
			if lags[i] > lives[i] || lags[i] < lives[i]-1 {
				t.Errorf("user %d: lag %v s, rest of life %v s; want them to agree", i, lags[i], lives[i])
			}
		}
	})
}

func TestBrowse(t *testing.T) {
	s := newSite(t, 2)
	s.jwtLife = time.Minute
	j, err := scriptSpec("jwt/HS256", "browse.js", 5,
		map[string]string{"PROFILE": "smoke", "DURATION": "3", "THINK": "0.01", "PAGES": "4"}).runs(t.Context(), k6(t), s.URL, nil)
	if n := j.Counters["journeys"]; err != nil || n == 0 || j.Counters["authenticated_requests"] != 4*n || j.Counters["requests"] != 6*n {
		t.Errorf("%v, %v; want journeys of a log-in, 4 pages and a log-out", j.Counters, err)
	}
	_, err = scriptSpec("none", "browse.js", 5, map[string]string{"PROFILE": "rush-hour"}).runs(t.Context(), k6(t), s.URL, nil)
	if err == nil || !strings.Contains(err.Error(), `unknown PROFILE "rush-hour": choose smoke, average, stress, spike, soak, breakpoint`) {
		t.Errorf("unknown profile: %v", err)
	}
}

func TestScriptsThatDoNotDoTheirWork(t *testing.T) {
	s := newSite(t, 1)
	k := k6(t)
	k.Scripts, _ = filepath.Abs("testdata/k6")
	for _, c := range []struct {
		script string
		env    map[string]string
		want   string
	}{
		{"throws.js", nil, "the script threw: Error: thrown on purpose"},
		{"throws.js", map[string]string{"REQUEST": "1"}, "the script threw 6 times; the first: Error: thrown on purpose"},
		{"malformed.js", nil, "the script cannot be loaded"},
		{"nothing.js", nil, "it sent nothing"},
		{"nosummary.js", nil, "it wrote no summary"},
		{"absent.js", nil, "only cookies.js, endless.js, "},
	} {
		_, err := scriptSpec("none", c.script, 1, c.env).runs(t.Context(), k, s.URL, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.script) {
			t.Errorf("%s %v: %v; want %q", c.script, c.env, err, c.want)
		}
	}
	k.Binary = filepath.Join(t.TempDir(), "k6")
	if _, err := scriptSpec("none", "nothing.js", 1, nil).runs(t.Context(), k, s.URL, nil); err == nil ||
		!strings.Contains(err.Error(), "make setup") {
		t.Errorf("no k6: %v; want what to do", err)
	}
}

// Ends that cannot be brought about at will come from an impostor.
func TestK6EndsBadly(t *testing.T) {
	k := k6(t)
	for end, want := range map[string]string{
		"exit 105":      "interrupted by a signal",
		"exit 106":      "control port is taken",
		"exit 109":      "crashed",
		"kill -9 $$":    "was killed",
		"exit 3":        "status 3",
		"exit 0":        "no summary",
		"exec sleep 99": "still running after",
	} {
		k.Binary = filepath.Join(t.TempDir(), "impostor")
		if err := os.WriteFile(k.Binary, []byte("#!/bin/sh\necho last words >&2\n"+end+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if k.Timeout = time.Minute; strings.Contains(end, "sleep") {
			k.Timeout = 100 * time.Millisecond
		}
		_, err := scriptSpec("none", "browse.js", 1, nil).runs(t.Context(), k, "http://127.0.0.1:1", nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "last words") {
			t.Errorf("%s: %v; want %q and the log's end", end, err, want)
		}
	}
}

func TestInterruptedJourneyKeepsItsCounts(t *testing.T) {
	s := newSite(t, 1)
	k := k6(t)
	k.Scripts, _ = filepath.Abs("testdata/k6")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			s.mu.Lock()
			n := s.turn
			s.mu.Unlock()
			if n >= 3 {
				cancel()
			}
			time.Sleep(10 * time.Millisecond) // between two looks
		}
	}()
	j, err := scriptSpec("none", "endless.js", 1, nil).runs(ctx, k, s.URL, nil)
	if !errors.Is(err, context.Canceled) || j.Counters["requests"] < 3 || len(j.Samples["seen"]) < 2 {
		t.Errorf("%+v, %v; want the counts until the interruption", j, err)
	}
}

func TestSources(t *testing.T) {
	all, seen := Sources(600), map[string]bool{}
	for _, a := range all {
		network := a[:strings.LastIndexByte(a, '.')]
		if seen[network] {
			t.Errorf("%s shares its /24 with another", a)
		}
		seen[network] = true
	}
	if all[0] != "127.0.1.1" || all[47] != "127.0.48.1" || len(Sources(0)) != 0 {
		t.Errorf("%v", all[:48])
	}
}

// realServers builds the server, and starts a replica of an arm at each call.
func realServers(t *testing.T, k K6) func(a trial.Arm, more ...string) (url string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-o", binary, "authbench/servers").CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	started := 0
	return func(a trial.Arm, more ...string) string {
		started++ // each has a log of its own
		args := append([]string{"-listen", "127.0.0.1:0", "-seed-users", "4", "-argon2", "m=64,t=1,p=1", "-insecure-cookies"}, more...)
		for flag, value := range arm.Of(a).Server {
			args = append(args, "-"+flag, value)
		}
		p, err := k.Ledger.Start(process.Command{Name: fmt.Sprintf("server-%d", started), Path: binary, Args: args})
		if err != nil {
			t.Fatal(err)
		}
		return "http://" + listening(t, p)
	}
}

// TestAgainstTheServer runs the journeys against real replicas without a
// balancer between.
func TestAgainstTheServer(t *testing.T) {
	k := k6(t)
	keys, serve := t.TempDir(), realServers(t, k)
	for _, c := range []struct {
		arm  trial.Arm
		args []string
		dies bool // at log-out
	}{
		{"session/memory", nil, true},
		{"jwt/HS256", []string{"-keys", keys, "-lifetime", "3s"}, false},
		{"jwt/HS256+cookie", []string{"-keys", keys, "-lifetime", "3s"}, false},
	} {
		revoking := scriptSpec(c.arm, "revoke.js", 4, map[string]string{"WATCH": "6"})
		url := serve(c.arm, c.args...)
		j, err := revoking.runs(t.Context(), k, url, []string{url})
		if err != nil {
			t.Errorf("%s: %v", c.arm, err)
			continue
		}
		lags, lives := j.Samples["revocation_lag_seconds"], j.Samples["remaining_life_seconds"]
		if len(lags) != 4 || len(lives) != 4 {
			t.Fatalf("%s: %+v; want samples of four users", c.arm, j)
		}
		for i := range lags {
			if c.dies && lags[i] != 0 || !c.dies && (lags[i] > lives[i] || lags[i] < lives[i]-1) {
				t.Errorf("%s: lag %v s, rest of life %v s", c.arm, lags[i], lives[i])
			}
		}
		for script, env := range map[string]map[string]string{
			"sticky.js": {"REQUESTS": "40"},
			"browse.js": {"PROFILE": "smoke", "DURATION": "2", "THINK": "0.01", "PAGES": "2"},
		} {
			j, err := scriptSpec(c.arm, script, 4, env).runs(t.Context(), k, url, nil)
			if err != nil || j.Counters["authenticated_requests"] == 0 || j.Counters["lost_sessions"] != 0 {
				t.Errorf("%s, %s: %+v, %v", c.arm, script, j, err)
			}
		}
	}
}

// What should end a credential does, or leaves it to its own end: each change on
// users who have made none before.
func TestChangesOfAnAccount(t *testing.T) {
	k := k6(t)
	keys, serve := t.TempDir(), realServers(t, k)
	for _, c := range []struct {
		script, change string
		arm            trial.Arm
		outlived       float64 // of 4 users
		accepted       string  // counts the answers
	}{
		{"theft.js", "log-out", "session/memory", 0, "unauthorized_successes"},
		{"theft.js", "password", "session/memory", 4, "unauthorized_successes"},
		{"theft.js", "password-anew", "session/memory", 0, "unauthorized_successes"},
		{"theft.js", "admin-log-out", "session/memory", 0, "unauthorized_successes"},
		{"theft.js", "disabled", "session/memory", 0, "unauthorized_successes"},
		{"theft.js", "password-anew", "jwt/HS256", 4, "unauthorized_successes"},
		{"theft.js", "disabled", "session/cookie", 4, "unauthorized_successes"},
		{"role-change.js", "lowered", "session/memory", 0, "unauthorized_successes"},
		{"role-change.js", "raised", "session/memory", 0, "stale_refusals"},
		{"role-change.js", "lowered", "jwt/HS256", 4, "unauthorized_successes"},
		{"role-change.js", "raised", "session/cookie", 4, "stale_refusals"},
	} {
		t.Run(fmt.Sprintf("%s/%s/%s", c.script, c.change, strings.ReplaceAll(string(c.arm), "/", "-")), func(t *testing.T) {
			ends := arm.Of(c.arm).Ends == arm.AtExpiry
			args := []string{"-lifetime", "1h"}
			if ends {
				args = []string{"-keys", keys, "-lifetime", "3s"}
			}
			url := serve(c.arm, args...)
			j, err := scriptSpec(c.arm, c.script, 4, map[string]string{"CHANGE": c.change, "WATCH": "5", "QUIET": "0.5", "POLL": "50"}).
				runs(t.Context(), k, url, []string{url})
			if err != nil {
				t.Fatal(err)
			}
			n := j.Counters
			if n["users_changed"] != 4 || n["users_let_in"] != c.outlived || (n[c.accepted] > 0) != (c.outlived > 0) {
				t.Errorf("%v; want 4 users, of whom the credentials of %v outlive the change", n, c.outlived)
			}
			if c.script == "role-change.js" && n["new_role_at_log_in"] != 4 {
				t.Errorf("%v have the new role at their next log-in, want all 4", n["new_role_at_log_in"])
			}
			lags, lives := j.Samples["revocation_lag_seconds"], j.Samples["remaining_life_seconds"]
			if len(lags) != 4 || len(lives) != 4 {
				t.Fatalf("%d lags, %d lives: want those of four users", len(lags), len(lives))
			}
			for i := range lags {
				if ends && (lags[i] > lives[i] || lags[i] < lives[i]-1) {
					t.Errorf("lag %v s, rest of life %v s", lags[i], lives[i])
				}
			}
		})
	}
}

// A credential that is about to end by itself says nothing of the change.
func TestUsersWhoAreTooLateAreLeftOut(t *testing.T) {
	s := newSite(t, 1)
	s.jwtLife = 3 * time.Second
	late := scriptSpec("jwt/HS256", "revoke.js", 2, map[string]string{"WATCH": "6", "POLL": "2000"})
	j, err := late.runs(t.Context(), k6(t), s.URL, s.Replicas)
	if n := j.Counters; !errors.Is(err, ErrThreshold) || n["users_too_late"] != 2 || n["users_logged_out"] != 0 ||
		len(j.Samples["revocation_lag_seconds"]) != 0 {
		t.Errorf("%v, %v; want two users left out", n, err)
	}
}

// listening waits for the line that a server prints when it serves.
func listening(t *testing.T, p *process.Process) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err := p.Died(); err != nil {
			t.Fatal(err)
		}
		b, _ := os.ReadFile(p.Log)
		for line := range strings.Lines(string(b)) {
			var l struct{ Listen, Private string }
			if json.Unmarshal([]byte(line), &l) == nil && l.Listen != "" && l.Private != "" {
				return l.Listen
			}
		}
	}
	t.Fatalf("the server does not serve: %s", p.Tail())
	return ""
}

func TestMissingScriptIsNamedWhateverTheFolderIsCalled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "v[1]")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "there.js"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := (K6{Binary: os.Args[0], Scripts: dir}).check("gone.js"); err == nil || !strings.Contains(err.Error(), dir+", only there.js") {
		t.Errorf("%v; want an error that lists there.js", err)
	}
}
