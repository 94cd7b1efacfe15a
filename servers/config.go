package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"authbench/servers/account"
	"authbench/servers/session"
	"authbench/servers/token"
)

// Config is everything that can be asked of a replica, as the flags have it.
type Config struct {
	Listen, Private string
	PrivateHosts    string
	Replica         string

	Auth, Store, Alg string
	Keys             string
	KeysPoll         time.Duration
	Profile, JWKS    string
	JWKSRefresh      time.Duration
	JWKSStale        time.Duration
	Denylist         string
	DenylistFail     string
	Credential       string
	InsecureCookies  bool
	Lifetime, Leeway time.Duration
	IdleTimeout      time.Duration
	Issuer, Audience string
	Touch            string
	TouchEvery       time.Duration
	SessionsPerUser  int

	Redis, Postgres   string
	Pool              int
	StoreTimeout      time.Duration
	MemoryMax         int
	Sweep             time.Duration
	Accounts          string
	SeedUsers         int
	Argon2            account.Params
	LoginQueue        int
	LoginFailures     int
	LoginWindow       time.Duration
	Readiness         string
	Mint, Force       bool
	Drain, DrainDelay time.Duration
	DrainIdle         time.Duration
	ExtraWork         time.Duration
	ClockShift        time.Duration

	given map[string]string // the flags that choose an arm
	kind  kind              // the arm that they choose

	// Now is this replica's clock. What replicas share is judged by the store's.
	Now func() time.Time
}

// What becomes of tokens while their denylist does not answer.
const (
	failClosed = "closed" // 503
	failOpen   = "open"   // accepted, also those that were revoked
)

// maxClockShift bounds -clock-shift: nobody's clock is a year off, and a date
// beyond what a token can hold would be another defect than a wrong clock.
const maxClockShift = 365 * 24 * time.Hour

// ownName is the issuer of this server's own tokens, and whom they are for.
const ownName = "authbench"

// envPrefix begins the name of every environment variable that is read:
// -store-timeout is AUTHBENCH_STORE_TIMEOUT.
const envPrefix = "AUTHBENCH_"

func envName(flagName string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// parseConfig reads flags and, for those that are not given, the environment.
// For -h it prints the usage to stdout and returns flag.ErrHelp.
func parseConfig(args []string, getenv func(string) (string, bool), stdout io.Writer) (Config, error) {
	c := Config{Now: time.Now}
	fs := flag.NewFlagSet("server", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c.define(fs)
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		usage(fs, stdout)
		return Config{}, err
	} else if err != nil {
		return Config{}, err
	}
	if fs.NArg() > 0 {
		return Config{}, fmt.Errorf("unexpected argument %q: every setting is a flag, see -h", fs.Arg(0))
	}
	given := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var err error
	fs.VisitAll(func(f *flag.Flag) {
		if value, ok := getenv(envName(f.Name)); ok && !given[f.Name] && err == nil {
			if setErr := fs.Set(f.Name, value); setErr != nil {
				err = fmt.Errorf("invalid value %q for %s: %w", value, envName(f.Name), setErr)
			}
		}
	})
	if err != nil {
		return Config{}, err
	}
	c.given = make(map[string]string)
	for _, name := range choosing() {
		f := fs.Lookup(name)
		if c.given[name] = f.Value.String(); c.given[name] != f.DefValue && !slices.Contains(levels(name), c.given[name]) {
			return Config{}, fmt.Errorf("-%s %q: want %s", name, f.Value, strings.Join(levels(name), ", "))
		}
	}
	return c, c.complete()
}

func (c *Config) define(fs *flag.FlagSet) {
	fs.StringVar(&c.Listen, "listen", "127.0.0.1:8080", "`address` of the public listener; port 0 picks a free one")
	fs.StringVar(&c.Private, "private", "127.0.0.1:0",
		"`address` of the private listener: /metrics, /config, /mint; never route it from outside")
	fs.StringVar(&c.PrivateHosts, "private-hosts", "",
		"`names` by which the private listener may be asked, beside its address and loopback, with commas between them: as Prometheus knows it")
	fs.StringVar(&c.Replica, "replica", "r1", "`name` of this replica, in every answer of /me")

	fs.StringVar(&c.Auth, "auth", "none", "way to authenticate: "+strings.Join(levels("auth"), ", ")+
		" (none is the control: everybody passes)")
	fs.StringVar(&c.Store, "store", "memory", "where sessions live: "+strings.Join(levels("store"), ", ")+
		" (with -auth session; cookie is encrypted at the client, what is unlogged is lost if PostgreSQL crashes)")
	fs.StringVar(&c.Alg, "alg", "", "signature of tokens: "+strings.Join(levels("alg"), ", ")+
		" (with -auth jwt; default HS256, for Cognito RS256)")
	fs.StringVar(&c.Keys, "keys", "",
		"`directory` of the signing keys, shared by all replicas; a missing key is made (with -auth jwt and -store cookie)")
	fs.DurationVar(&c.KeysPoll, "keys-poll", time.Second,
		"`time` between readings of -keys: within it a new key verifies and a removed one does not")
	fs.StringVar(&c.Profile, "profile", "",
		"cognito: only verify access tokens of another issuer, in the manner of Amazon Cognito: -issuer is its URL, -audience the client_id")
	fs.StringVar(&c.JWKS, "jwks", "", "`URL` (https, or http to loopback) or file of the other issuer's keys (with -profile cognito)")
	fs.DurationVar(&c.JWKSRefresh, "jwks-refresh", 5*time.Minute,
		"`time` between readings of -jwks: a removed key verifies for that long; a token by an unknown key brings the next reading forward, "+
			"to 5s after the last at the earliest")
	fs.DurationVar(&c.JWKSStale, "jwks-stale", time.Hour,
		"`time` for which the last keys verify while -jwks cannot be read; after it the answer is 503")
	fs.StringVar(&c.Denylist, "denylist", "",
		"where it stands which tokens have ended before their expiry: "+strings.Join(levels("denylist"), ", ")+
			" (with -auth jwt; default: nowhere, a log-out ends no token)")
	fs.StringVar(&c.DenylistFail, "denylist-fail", failClosed,
		"what becomes of tokens while the denylist does not answer: closed (503) or open (accepted, also those that were revoked)")
	fs.StringVar(&c.Credential, "credential", "", "what carries the credential: header or cookie (default cookie for session, header for jwt)")
	fs.BoolVar(&c.InsecureCookies, "insecure-cookies", false,
		"drop the __Host- prefix and Secure from cookies, for plain HTTP; a warning is logged")
	fs.DurationVar(&c.Lifetime, "lifetime", time.Hour, "`time` from log-in to the absolute end of a session, or of a token")
	fs.DurationVar(&c.IdleTimeout, "idle-timeout", 0, "`time` after which an unused session ends; 0 means never; needs -touch")
	fs.StringVar(&c.Touch, "touch", "never", "when a session's last use is written: never, throttled (once in -touch-every) or always")
	fs.DurationVar(&c.TouchEvery, "touch-every", time.Minute,
		"`time` between writings with -touch throttled; a session may end idly that much early")
	fs.IntVar(&c.SessionsPerUser, "sessions-per-user", session.DefaultPerSubject,
		"sessions that one user may have; the oldest ends for a new one")
	fs.DurationVar(&c.Leeway, "leeway", 0, "`time` by which replicas' clocks may differ; a token is accepted that much longer")
	fs.StringVar(&c.Issuer, "issuer", ownName, "`name` of the issuer of tokens")
	fs.StringVar(&c.Audience, "audience", ownName, "`name` of the audience of tokens")

	fs.StringVar(&c.Redis, "redis", "", "`URL` of Redis: redis://host:port/db or unix:///path")
	fs.StringVar(&c.Postgres, "postgres", "", "`URL` of PostgreSQL: postgres://user@host:port/database")
	fs.IntVar(&c.Pool, "pool", 16, "connections to each store at most")
	fs.DurationVar(&c.StoreTimeout, "store-timeout", 250*time.Millisecond, "`time` a call to a store may take; after it the answer is 503")
	fs.IntVar(&c.MemoryMax, "memory-max", 2_000_000, "sessions that the memory store holds at most")
	fs.DurationVar(&c.Sweep, "sweep", time.Minute, "`time` between deletions of expired sessions (memory and postgres)")

	fs.StringVar(&c.Accounts, "accounts", "memory", "where accounts live: memory or postgres")
	fs.IntVar(&c.SeedUsers, "seed-users", 0, "`number` of accounts to make at start, user-000000 and on, and admin; password: "+
		account.SeedPassword)
	fs.Func("argon2", "`cost` of a password hash: memory in KiB, passes, threads (default "+account.DefaultParams.String()+")",
		func(s string) (err error) {
			c.Argon2, err = account.ParseParams(s)
			return err
		})
	c.Argon2 = account.DefaultParams
	fs.IntVar(&c.LoginQueue, "login-queue", 32, "log-ins that may wait for a processor; more are answered 503")
	fs.IntVar(&c.LoginFailures, "login-failures", 20,
		"failed log-ins of one user in -login-window; after them 429 (counted in the shared store, if there is one)")
	fs.DurationVar(&c.LoginWindow, "login-window", 10*time.Minute,
		"`time` from the first failed log-in that counts until the count is cleared")
	fs.StringVar(&c.Readiness, "readiness", "store",
		"what /readyz answers while a store is down or refuses writes: store (503) or always (200, and what is wrong)")
	fs.BoolVar(&c.Mint, "mint", false, "serve POST /mint on the private listener: credentials without passwords, for measuring")
	fs.BoolVar(&c.Force, "force", false, "allow -mint and -seed-users on listeners other than loopback")
	fs.DurationVar(&c.Drain, "drain", 10*time.Second, "`time` that requests in flight get to finish after SIGTERM")
	fs.DurationVar(&c.DrainDelay, "drain-delay", 0, "`time` between /readyz turning 503 and the listener closing, after SIGTERM")
	fs.DurationVar(&c.DrainIdle, "drain-idle", time.Second,
		"`time` at most that idle connections stay open after that, for one more request each: a balancer that is told to close them loses none")
	fs.DurationVar(&c.ExtraWork, "extra-work", 0,
		"CPU `time` that every request to the public listener burns besides, to see whether a measurement finds it; for loopback only")
	fs.DurationVar(&c.ClockShift, "clock-shift", 0,
		"`time` by which this replica's clock is fast, or slow if negative, to see what a wrong clock does; for loopback only")
}

func usage(fs *flag.FlagSet, w io.Writer) {
	fmt.Fprint(w, `server: one replica of one way to authenticate.

It prints one line of JSON when it serves, {"listen":..,"private":..,"replica":..},
logs to standard error, and drains on SIGTERM. Each flag can also be given as an
environment variable: -store-timeout is `+envName("store-timeout")+`. Flags win.
The command server keys changes signing keys under running replicas; server
health asks a replica whether it is ready.

`)
	fs.SetOutput(w)
	fs.PrintDefaults()
	fs.SetOutput(io.Discard)
}

// complete fills in the defaults that depend on other settings, and refuses
// what does not fit together.
func (c *Config) complete() error {
	for _, choice := range []struct {
		flag, value string
		want        []string
	}{
		{"credential", c.Credential, []string{"", "header", "cookie"}},
		{"accounts", c.Accounts, []string{"memory", "postgres"}},
		{"touch", c.Touch, []string{"never", "throttled", "always"}},
		{"denylist-fail", c.DenylistFail, []string{failClosed, failOpen}},
		{"readiness", c.Readiness, []string{"store", "always"}},
	} {
		if !slices.Contains(choice.want, choice.value) {
			return fmt.Errorf("-%s %q: want %s", choice.flag, choice.value, strings.TrimPrefix(strings.Join(choice.want, ", "), ", "))
		}
	}
	for _, bound := range []struct {
		flag  string
		value int64
		least int64
		text  string
	}{
		{"lifetime", int64(c.Lifetime), int64(time.Second), "1s"},
		{"idle-timeout", int64(c.IdleTimeout), 0, "0s"},
		{"leeway", int64(c.Leeway), 0, "0s"},
		{"store-timeout", int64(c.StoreTimeout), int64(time.Millisecond), "1ms"},
		{"sweep", int64(c.Sweep), int64(time.Second), "1s"},
		{"keys-poll", int64(c.KeysPoll), int64(time.Millisecond), "1ms"},
		{"jwks-refresh", int64(c.JWKSRefresh), int64(100 * time.Millisecond), "100ms"},
		{"jwks-stale", int64(c.JWKSStale), int64(c.JWKSRefresh), "-jwks-refresh"},
		{"drain", int64(c.Drain), 0, "0s"},
		{"drain-delay", int64(c.DrainDelay), 0, "0s"},
		{"drain-idle", int64(c.DrainIdle), 0, "0s"},
		{"extra-work", int64(c.ExtraWork), 0, "0s"},
		{"pool", int64(c.Pool), 1, "1"},
		{"memory-max", int64(c.MemoryMax), 1, "1"},
		{"seed-users", int64(c.SeedUsers), 0, "0"},
		{"login-queue", int64(c.LoginQueue), 0, "0"},
		{"login-failures", int64(c.LoginFailures), 1, "1"},
		{"login-window", int64(c.LoginWindow), int64(time.Second), "1s"},
		{"touch-every", int64(c.TouchEvery), int64(time.Millisecond), "1ms"},
		{"sessions-per-user", int64(c.SessionsPerUser), 1, "1"},
	} {
		if bound.value < bound.least {
			return fmt.Errorf("-%s: want at least %s", bound.flag, bound.text)
		}
	}
	if c.Leeway > token.MaxLeeway {
		return fmt.Errorf("-leeway %v: want at most %v", c.Leeway, token.MaxLeeway)
	}
	if c.ClockShift.Abs() > maxClockShift {
		return fmt.Errorf("-clock-shift %v: want at most %v, either way", c.ClockShift, maxClockShift)
	}
	if c.ClockShift != 0 {
		now, shift := c.Now, c.ClockShift
		c.Now = func() time.Time { return now().Add(shift) }
	}
	if c.ExtraWork > maxExtraWork {
		return fmt.Errorf("-extra-work %v: want at most %v", c.ExtraWork, maxExtraWork)
	}
	if c.SeedUsers > 1_000_000 {
		return errors.New("-seed-users: want at most 1000000")
	}
	if c.Replica == "" {
		return errors.New("-replica: want a name")
	}
	for name := range strings.SplitSeq(c.PrivateHosts, ",") {
		if c.PrivateHosts != "" && (name == "" || strings.ContainsAny(name, ":/*[] \t")) {
			return fmt.Errorf("-private-hosts %q: want names of hosts, without ports, and commas between them", c.PrivateHosts)
		}
	}
	var err error
	if c.kind, err = choose(kinds(), c.given); err != nil {
		return err
	}
	c.Alg = c.kind.flags["alg"]
	if c.JWKS != "" && !c.kind.foreign {
		return errors.New("-jwks needs -profile cognito: our own tokens are verified by -keys")
	}
	if c.DenylistFail == failOpen && c.Denylist == "" {
		return errors.New("-denylist-fail open needs -denylist redis: there is nothing to fail")
	}
	if c.kind.check != nil {
		if err := c.kind.check(c); err != nil {
			return err
		}
	}
	for _, check := range []func() error{c.idles, c.opens, c.staysLocal} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// privateHosts are the names that the private listener answers to: those given,
// and the one that it listens by.
func (c *Config) privateHosts() []string {
	names := strings.Split(c.PrivateHosts, ",")
	if host, _, err := net.SplitHostPort(c.Private); err == nil {
		names = append(names, host)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// idles refuses an idle timeout that would not end idle sessions, but busy ones.
func (c *Config) idles() error {
	switch {
	case c.IdleTimeout > 0 && c.Touch == "never":
		return errors.New("-idle-timeout needs -touch throttled or always: else it would end sessions in use")
	case c.IdleTimeout > 0 && c.Touch == "throttled" && c.TouchEvery >= c.IdleTimeout:
		return fmt.Errorf("-touch-every %v: want less than -idle-timeout %v", c.TouchEvery, c.IdleTimeout)
	}
	return nil
}

// failuresAt says where failed log-ins are counted.
func (c *Config) failuresAt() string {
	switch {
	case c.uses("redis"):
		return "redis"
	case c.uses("postgres"):
		return "postgres"
	}
	return "memory"
}

// opens refuses a store that is to be opened and is not named.
func (c *Config) opens() error {
	switch {
	case c.uses("redis") && c.Redis == "":
		return errors.New("-store redis and -denylist redis need -redis URL")
	case c.uses("postgres") && c.Postgres == "":
		return errors.New("-store postgres and -accounts postgres need -postgres URL")
	}
	return nil
}

// staysLocal keeps accounts with a public password, credentials without one,
// wasted work and a wrong clock from a network.
func (c *Config) staysLocal() error {
	if c.Force || c.SeedUsers == 0 && !c.Mint && c.ExtraWork == 0 && c.ClockShift == 0 {
		return nil
	}
	for _, l := range []struct{ flag, address string }{{"listen", c.Listen}, {"private", c.Private}} {
		addr, err := net.ResolveTCPAddr("tcp", l.address)
		if err != nil {
			return fmt.Errorf("-%s %q: %w", l.flag, l.address, err)
		}
		if !addr.IP.IsLoopback() {
			return fmt.Errorf("-%s %s: -mint, -seed-users, -extra-work and -clock-shift are for loopback only; -force allows it all the same",
				l.flag, l.address)
		}
	}
	return nil
}

func lookupEnv(name string) (string, bool) { return os.LookupEnv(name) }
