package main

import (
	"net/url"
	"os"
	"runtime"
	"strconv"

	"authbench/servers/api"
)

// settings is what GET /config answers: what this replica really runs with,
// for whoever checks a measurement from outside. Durations are as
// time.ParseDuration reads them. It holds no secret: of the stores' URLs only
// the addresses, of the keys nothing.
type settings struct {
	Arm             string      `json:"arm"` // "none", "session/redis", "jwt/HS256", ...
	Auth            string      `json:"auth"`
	Store           string      `json:"store"`        // of sessions; "" where there are none
	Alg             string      `json:"alg"`          // of tokens; "" where there are none
	Profile         string      `json:"profile"`      // "cognito": another issuer's tokens are verified and none issued
	JWKS            string      `json:"jwks"`         // where its keys are
	JWKSRefresh     string      `json:"jwks_refresh"` // longest life of a key that it removed; "" where there is none
	JWKSStale       string      `json:"jwks_stale"`
	Denylist        string      `json:"denylist"`      // the store that revoked tokens are looked up in; "" where there is none
	DenylistFail    string      `json:"denylist_fail"` // closed or open: while it does not answer; "" where there is none
	Replica         string      `json:"replica"`
	PID             int         `json:"pid"`
	Listen          string      `json:"listen"`
	Private         string      `json:"private"`
	PrivateHosts    string      `json:"private_hosts"` // names that it answers to, beside its address and loopback
	GoVersion       string      `json:"go_version"`
	GOMAXPROCS      int         `json:"gomaxprocs"`
	Credential      api.Carrier `json:"credential"` // header, cookie or none
	Cookie          string      `json:"cookie"`     // its name on the wire; "" where none is used
	InsecureCookies bool        `json:"insecure_cookies"`
	Lifetime        string      `json:"lifetime"`
	IdleTimeout     string      `json:"idle_timeout"` // of sessions; "0s" means none
	Touch           string      `json:"touch"`
	TouchEvery      string      `json:"touch_every"`
	SessionsPerUser int         `json:"sessions_per_user"`
	Leeway          string      `json:"leeway"`
	Issuer          string      `json:"issuer"`
	Audience        string      `json:"audience"`
	KeysPoll        string      `json:"keys_poll"`        // longest life of a removed key; "" where there are none
	RevocationBound string      `json:"revocation_bound"` // longest life after log-out; "" for a control
	RevocationScope string      `json:"revocation_scope"` // replicas that know of a log-out: all, replica (that one), none
	Redis           string      `json:"redis"`
	Postgres        string      `json:"postgres"`
	Pool            int         `json:"pool"`
	StoreTimeout    string      `json:"store_timeout"`
	MemoryMax       int         `json:"memory_max"`
	Sweep           string      `json:"sweep"`
	Accounts        string      `json:"accounts"`
	SeedUsers       int         `json:"seed_users"`
	Argon2          string      `json:"argon2"`
	LoginPermits    int         `json:"login_permits"`
	LoginQueue      int         `json:"login_queue"`
	LoginFailures   int         `json:"login_failures"`
	LoginWindow     string      `json:"login_window"`
	FailuresAt      string      `json:"login_failures_at"` // where they are counted: memory is this replica alone
	Readiness       string      `json:"readiness"`
	Mint            bool        `json:"mint"`
	KeepAlive       string      `json:"keep_alive"` // how long an idle client connection stays open
	Drain           string      `json:"drain"`
	DrainDelay      string      `json:"drain_delay"`
	DrainIdle       string      `json:"drain_idle"`
	ExtraWork       string      `json:"extra_work"`  // CPU time that every request burns besides; "0s" outside of tests of a measurement
	ClockShift      string      `json:"clock_shift"` // by which its clock is fast; "0s" outside of tests
}

func (c *Config) settings(listen, private string) settings {
	t := c.transport()
	s := settings{
		Arm: c.kind.name, Auth: c.Auth, Store: c.kind.flags["store"], Alg: c.Alg, Profile: c.Profile, Denylist: c.Denylist,
		Replica: c.Replica,
		PID:     os.Getpid(), Listen: listen, Private: private, PrivateHosts: c.PrivateHosts,
		GoVersion: runtime.Version(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		Credential: t.Carrier, InsecureCookies: c.InsecureCookies,
		Lifetime: c.Lifetime.String(), IdleTimeout: c.IdleTimeout.String(), Touch: c.Touch, TouchEvery: c.TouchEvery.String(),
		SessionsPerUser: c.SessionsPerUser, RevocationScope: string(c.kind.scope), LoginFailures: c.LoginFailures,
		LoginWindow: c.LoginWindow.String(), FailuresAt: c.failuresAt(), Readiness: c.Readiness,
		Leeway: c.Leeway.String(), Issuer: c.Issuer, Audience: c.Audience,
		Redis: address(c.Redis), Postgres: address(c.Postgres),
		Pool: c.Pool, StoreTimeout: c.StoreTimeout.String(), MemoryMax: c.MemoryMax, Sweep: c.Sweep.String(),
		Accounts: c.Accounts, SeedUsers: c.SeedUsers, Argon2: c.Argon2.String(),
		LoginPermits: c.loginPermits(), LoginQueue: c.LoginQueue, Mint: c.Mint,
		KeepAlive: keepAlive.String(), Drain: c.Drain.String(), DrainDelay: c.DrainDelay.String(), DrainIdle: c.DrainIdle.String(),
		ExtraWork: c.ExtraWork.String(), ClockShift: c.ClockShift.String(),
	}
	if t.Carrier == api.CarrierCookie {
		s.Cookie = t.CookieName()
	}
	if c.kind.scope != nothingToKnow {
		s.RevocationBound = c.revocationBound().String()
	}
	if c.kind.says != nil {
		c.kind.says(c, &s)
	}
	return s
}

// loginPermits is how many password hashes run at once.
func (c *Config) loginPermits() int { return runtime.GOMAXPROCS(0) }

// address is what of a store's URL may be shown.
func address(storeURL string) string {
	if storeURL == "" {
		return ""
	}
	u, err := url.Parse(storeURL)
	if err != nil || u.Scheme == "" {
		return strconv.Quote("given, not a URL")
	}
	return u.Scheme + "://" + u.Host + u.Path
}
