package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func parse(env map[string]string, args ...string) (Config, error) {
	return parseConfig(args, func(name string) (string, bool) { v, ok := env[name]; return v, ok }, io.Discard)
}

func TestBadFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-auth oauth", `-auth "oauth": want none, session, jwt`},
		{"-store mongo", `-store "mongo": want memory, redis, `},
		{"-auth jwt -keys d -alg none", `-alg "none": want HS256`},
		{"-credential url", `-credential "url": want header, cookie`},
		{"-touch sometimes", `-touch "sometimes": want never, throttled, always`},
		{"-idle-timeout 1m", "-idle-timeout needs -touch"},
		{"-idle-timeout 1m -touch throttled", "-touch-every 1m0s: want less than -idle-timeout"},
		{"-auth session -store cookie", "-store cookie needs -keys DIR"},
		{"-auth session -store cookie -keys d -touch always", "-store cookie has neither -idle-timeout nor -touch"},
		{"-readiness never", `-readiness "never": want store, always`},
		{"-login-failures 0", "-login-failures: want at least 1"},
		{"-sessions-per-user 0", "-sessions-per-user: want at least 1"},
		{"-accounts ldap", `-accounts "ldap": want memory, postgres`},
		{"-auth jwt", "-auth jwt needs -keys DIR"},
		{"-auth jwt -profile auth0", `-profile "auth0": want `},
		{"-profile cognito", "no arm has these flags: want -alg RS256 -auth jwt -profile cognito"},
		{"-auth jwt -keys d -denylist redis", "-denylist redis need -redis URL"},
		{"-auth jwt -keys d -denylist memory", `-denylist "memory": want redis`},
		{"-auth jwt -keys d -denylist redis -redis redis://x -denylist-fail soft", `-denylist-fail "soft": want closed, open`},
		{"-auth jwt -keys d -denylist-fail open", "-denylist-fail open needs -denylist redis"},
		{"-auth session -denylist redis -redis redis://x", "no arm has these flags: want -alg HS256 -auth jwt -denylist redis"},
		{"-auth jwt -profile cognito -alg ES256", "want -alg ES256 -auth jwt, or -alg RS256 -auth jwt -profile cognito"},
		{"-auth jwt -profile cognito -issuer i -audience a", "-profile cognito needs -jwks"},
		{"-auth jwt -profile cognito -jwks f -audience a", "needs -issuer URL and -audience CLIENT_ID"},
		{"-auth jwt -profile cognito -jwks f -issuer i", "needs -issuer URL and -audience CLIENT_ID"},
		{"-auth jwt -profile cognito -jwks f -issuer i -audience a -keys d", "-keys has no use"},
		{"-auth jwt -profile cognito -jwks f -issuer i -audience a -mint", "there are no accounts"},
		{"-auth jwt -profile cognito -jwks f -issuer i -audience a -seed-users 1", "there are no accounts"},
		{"-auth jwt -profile cognito -jwks f -issuer i -audience a -accounts postgres", "there are no accounts"},
		{"-auth jwt -profile cognito -jwks http://keys.example/ -issuer i -audience a", "-jwks http://keys.example: want https"},
		{"-auth jwt -profile cognito -jwks ftp://127.0.0.1/ -issuer i -audience a", "want https"},
		{"-auth jwt -profile cognito -jwks f -issuer i -audience a -jwks-refresh 1ms", "-jwks-refresh: want at least 100ms"},
		{"-auth jwt -profile cognito -jwks f -issuer i -audience a -jwks-stale 1s", "-jwks-stale: want at least -jwks-refresh"},
		{"-auth jwt -keys d -jwks f", "-jwks needs -profile cognito"},
		{"-auth session -store redis", "need -redis URL"},
		{"-auth session -store postgres", "need -postgres URL"},
		{"-accounts postgres", "need -postgres URL"},
		{"-lifetime 0s", "-lifetime: want at least 1s"},
		{"-lifetime soon", `invalid value "soon" for flag -lifetime`},
		{"-leeway 2m", "-leeway 2m0s: want at most 1m0s"},
		{"-pool 0", "-pool: want at least 1"},
		{"-argon2 cheap", `argon2 parameters "cheap"`},
		{"-argon2 m=4294967295,t=1,p=1", "want m of 8p to 1048576 KiB"},
		{"-nonsense", "flag provided but not defined: -nonsense"},
		{"session", `unexpected argument "session"`},
		{"-replica=", "-replica: want a name"},
		{"-mint -listen 0.0.0.0:0", "-listen 0.0.0.0:0: -mint, -seed-users, -extra-work and -clock-shift are for loopback only"},
		{"-seed-users 1 -listen :0", "-listen :0: -mint, -seed-users, -extra-work and -clock-shift are for loopback only"},
		{"-mint -private [::]:0", "-private [::]:0: -mint, -seed-users, -extra-work and -clock-shift are for loopback only"},
		{"-private-hosts a:1,b", `-private-hosts "a:1,b": want names of hosts, without ports`},
		{"-private-hosts a,,b", "-private-hosts"},
		{"-private-hosts http://a/", "-private-hosts"},
		{"-private-hosts *", "-private-hosts"},
		{"-extra-work 10us -listen 0.0.0.0:0", "-mint, -seed-users, -extra-work and -clock-shift are for loopback only"},
		{"-clock-shift 5m -listen 0.0.0.0:0", "-clock-shift are for loopback only"},
		{"-clock-shift -9000h", "-clock-shift -9000h0m0s: want at most 8760h0m0s, either way"},
		{"-extra-work 1s", "-extra-work 1s: want at most 10ms"},
		{"-extra-work -1us", "-extra-work: want at least 0s"},
		{"-mint -listen nonsense", `-listen "nonsense"`},
	} {
		_, err := parse(nil, strings.Fields(c.args)...)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v; want one line with %s", c.args, err, c.want)
		}
	}
	for _, args := range []string{"-mint -listen 0.0.0.0:0 -force", "-listen 0.0.0.0:0", "-mint -listen localhost:0 -private [::1]:0"} {
		if _, err := parse(nil, strings.Fields(args)...); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	env := map[string]string{"AUTHBENCH_STORE_TIMEOUT": "40ms", "AUTHBENCH_INSECURE_COOKIES": "true", "AUTHBENCH_POOL": "3"}
	c, err := parse(env, "-pool", "5")
	if err != nil || c.StoreTimeout != 40*time.Millisecond || !c.InsecureCookies || c.Pool != 5 {
		t.Errorf("error %v, %+v; want the environment's timeout and cookies, and the flag's pool", err, c)
	}
	env["AUTHBENCH_LIFETIME"] = "soon"
	if _, err := parse(env); err == nil || !strings.Contains(err.Error(), "AUTHBENCH_LIFETIME") {
		t.Errorf("error %v; want one that names the variable", err)
	}
}

// Every flag is explained by -h and repeated by /config, but for those that a
// measurement cannot depend on.
func TestEveryFlagIsExplainedAndShown(t *testing.T) {
	var help bytes.Buffer
	if _, err := parseConfig([]string{"-h"}, os.LookupEnv, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: error %v", err)
	}
	var c Config
	all := flag.NewFlagSet("", flag.ContinueOnError)
	c.define(all)
	text, _ := json.Marshal(c.settings("", ""))
	var shown map[string]any
	decode(t, string(text), &shown)
	hidden := []string{"keys", "force"} // a folder of secrets, and a leave to start
	all.VisitAll(func(f *flag.Flag) {
		if f.Usage == "" || !strings.Contains(help.String(), "\n  -"+f.Name) {
			t.Errorf("-h does not explain -%s", f.Name)
		}
		_, ok := shown[strings.ReplaceAll(f.Name, "-", "_")]
		if ok == slices.Contains(hidden, f.Name) {
			t.Errorf("/config shows -%s: %v", f.Name, ok)
		}
	})
}

func TestConfigHoldsNoSecret(t *testing.T) {
	c := Config{
		Redis:    "redis://user:hunter2@127.0.0.1:1/0?password=hunter2",
		Postgres: "postgres://user:hunter2@127.0.0.1:1/db?password=hunter2",
	}
	s := c.settings("", "")
	if s.Redis != "redis://127.0.0.1:1/0" || s.Postgres != "postgres://127.0.0.1:1/db" {
		t.Errorf("addresses %q and %q", s.Redis, s.Postgres)
	}
	c.Postgres = "host=127.0.0.1 user=postgres password=hunter2"
	if s := c.settings("", ""); strings.Contains(s.Postgres, "hunter2") {
		t.Errorf("address %q", s.Postgres)
	}
}

// Each arm is chosen by its flags, and by the first of its flags alone where that
// is its family's default.
func TestEachArmIsChosenByItsFlags(t *testing.T) {
	for _, k := range kinds() {
		args := append(k.args(), "-keys", "d", "-redis", "redis://x", "-postgres", "postgres://x")
		if k.foreign {
			args = append(k.args(), "-jwks", "f", "-issuer", "i", "-audience", "a")
		}
		c, err := parse(nil, args...)
		if err != nil || c.kind.name != k.name {
			t.Errorf("%v: arm %q, error %v; want %s", args, c.kind.name, err, k.name)
			continue
		}
		text, _ := json.Marshal(c.settings("", ""))
		var says map[string]any
		decode(t, string(text), &says)
		for flag, want := range k.flags {
			if got := says[strings.ReplaceAll(flag, "-", "_")]; got != want {
				t.Errorf("%s: /config says %s %q, want %q", k.name, flag, got, want)
			}
		}
	}
	for args, want := range map[string]string{
		"": "none", "-store redis": "none", "-auth session": "session/memory", "-auth jwt -keys d": "jwt/HS256",
		"-auth session -alg ES256": "session/memory", "-auth jwt -denylist redis -keys d -redis redis://x": "jwt/HS256+denylist",
		"-auth jwt -profile cognito -jwks f -issuer i -audience a": "jwt/cognito",
	} {
		if c, err := parse(nil, strings.Fields(args)...); err != nil || c.kind.name != want {
			t.Errorf("%q: arm %q, error %v; want %s", args, c.kind.name, err, want)
		}
	}
}

// A flag that only one arm lists chooses it, and is not passed over by the others.
func TestAFlagOfItsOwnChooses(t *testing.T) {
	double := kind{name: "jwt/HS256+double", flags: map[string]string{"auth": "jwt", "alg": "HS256", "claims": "double"}}
	among := append(kinds(), double)
	for claims, want := range map[string]string{"": "jwt/HS256", "double": double.name} {
		given := map[string]string{"auth": "jwt", "store": "memory", "alg": "", "profile": "", "claims": claims}
		if k, err := choose(among, given); err != nil || k.name != want {
			t.Errorf("-claims %q: arm %q, error %v; want %s", claims, k.name, err, want)
		}
	}
	for _, given := range []map[string]string{
		{"auth": "session", "store": "memory", "claims": "double"}, {"auth": "jwt", "alg": "ES256", "claims": "double"},
	} {
		if k, err := choose(among, given); err == nil || !strings.Contains(err.Error(), "-alg HS256 -auth jwt -claims double") {
			t.Errorf("%v: arm %q, error %v; want one that says what goes with it", given, k.name, err)
		}
	}
}

// A shifted clock is the replica's own, either way, and /config says so.
func TestClockShift(t *testing.T) {
	for _, shift := range []time.Duration{5 * time.Minute, -30 * time.Second, 0} {
		c, err := parse(nil, "-clock-shift", shift.String())
		if err != nil {
			t.Fatal(err)
		}
		before := time.Now()
		now := c.Now().Add(-shift)
		if after := time.Now(); now.Before(before) || now.After(after) {
			t.Errorf("-clock-shift %v: the clock says %v, between %v and %v", shift, c.Now(), before, after)
		}
		if says := c.settings("", "").ClockShift; says != shift.String() {
			t.Errorf("-clock-shift %v: /config says %s", shift, says)
		}
	}
}
