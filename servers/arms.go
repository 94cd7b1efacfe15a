package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"authbench/servers/api"
	"authbench/servers/token"
)

// kind is a way to authenticate: what chooses it, what it needs, how it is
// opened and when its credentials end. Whoever must know something of an arm
// asks its kind; nobody compares flags.
type kind struct {
	name string // as measurements know it
	// flags choose it: -auth, and of -store, -alg, -profile and any other what sets
	// it apart. Together the kinds say what these flags take, and /config repeats them.
	flags  map[string]string
	column string                   // of SECURITY.md; "": its own. Where algorithms differ in nothing else, one stands for all
	stores []string                 // redis, postgres: opened for its credentials
	check  func(c *Config) error    // refuses what it lacks or cannot use; nil: it takes anything
	open   opener                   // fills in what authenticates
	says   func(*Config, *settings) // its own part of /config; nil: none

	carrier api.Carrier // unless -credential says otherwise
	cookie  string      // its cookie's name
	scope   scope
	ends    func(c *Config) time.Duration // longest life after a log-out; nil or 0: it ends at once
	leeway  bool                          // replicas judge its end by their own clocks, and allow each other -leeway
	foreign bool                          // another issuer's: it is verified, and there are no accounts
}

// opener makes an arm authenticate. The stores of its kind are open.
type opener func(ctx context.Context, a *arm, cfg Config, metrics *api.Metrics) error

// scope says which replicas know of a log-out.
type scope string

const (
	nothingToKnow scope = ""        // there are no credentials
	allKnow       scope = "all"     // by a store that they share
	oneKnows      scope = "replica" // the one that was asked
	noneKnows     scope = "none"    // the credential is all that there is of it
)

// kinds lists the arms, in the order in which -h names the values of their
// flags. The first algorithm of a profile is its default.
func kinds() []kind {
	sessions := func(store string, scope scope, k kind) kind {
		k.name, k.flags, k.scope = "session/"+store, map[string]string{"auth": "session", "store": store}, scope
		k.carrier, k.cookie = api.CarrierCookie, "session"
		return k
	}
	tokens := func(name, alg string, k kind) kind {
		k.name, k.flags, k.scope = "jwt/"+name, map[string]string{"auth": "jwt", "alg": alg}, noneKnows
		k.carrier, k.cookie = api.CarrierHeader, "token"
		k.ends, k.leeway = func(c *Config) time.Duration { return c.Lifetime + c.Leeway }, true
		return k
	}
	all := []kind{
		{name: "none", flags: map[string]string{"auth": "none"}, carrier: api.CarrierNone, cookie: "session",
			scope: nothingToKnow, open: openNone},
		sessions("memory", oneKnows, kind{open: openMemory}),
		sessions("redis", allKnow, kind{open: openRedis, stores: []string{"redis"}}),
		sessions("postgres", allKnow, kind{open: openPostgres(false), stores: []string{"postgres"}}),
		sessions("postgres-unlogged", allKnow, kind{open: openPostgres(true), stores: []string{"postgres"}}),
		sessions("cookie", noneKnows, kind{open: openCookie, check: fitCookie, ends: func(c *Config) time.Duration { return c.Lifetime }}),
	}
	for _, alg := range token.Algorithms() {
		all = append(all, tokens(alg, alg, kind{open: openTokens, check: fitTokens, says: sayTokens}))
	}
	for _, alg := range token.Algorithms() {
		k := tokens(alg+"+denylist", alg, kind{open: openDenylist, check: fitTokens, says: sayDenylist, stores: []string{"redis"}})
		k.flags["denylist"], k.column = "redis", "jwt/HS256+denylist"
		k.scope, k.ends = allKnow, endsByDenylist
		all = append(all, k)
	}
	cognito := tokens("cognito", "RS256", kind{open: openForeign, check: fitForeign, says: sayForeign, foreign: true})
	cognito.flags["profile"] = string(token.Cognito)
	return append(all, cognito)
}

// levels lists what a flag that chooses may say.
func levels(flag string) (all []string) {
	for _, k := range kinds() {
		if level, ok := k.flags[flag]; ok && !slices.Contains(all, level) {
			all = append(all, level)
		}
	}
	return all
}

// choosing lists the flags that choose an arm.
func choosing() (flags []string) {
	for _, k := range kinds() {
		flags = slices.AppendSeq(flags, maps.Keys(k.flags))
	}
	slices.Sort(flags)
	return slices.Compact(flags)
}

// choose finds the kind that the flags given choose, level by flag: the first of
// those that fit, so that it takes an -alg that is not given.
func choose(among []kind, given map[string]string) (kind, error) {
	var near []string
	for _, k := range among {
		if k.fits(given) {
			return k, nil
		}
		if k.near(given) {
			near = append(near, strings.Join(k.args(), " "))
		}
	}
	return kind{}, fmt.Errorf("no arm has these flags: want %s", strings.Join(near, ", or "))
}

// fits says whether the flags given choose it. To an arm that lists no -store or
// -alg these mean nothing; any other flag is given just as it is listed.
func (k kind) fits(given map[string]string) bool {
	for flag, level := range given {
		own, listed := k.flags[flag]
		switch {
		case level == own, flag == "alg" && level == "":
		case !listed && (flag == "store" || flag == "alg"):
		default:
			return false
		}
	}
	return true
}

// near says whether it has one of the flags given, and asks for no other: -auth,
// -store and -alg have defaults.
func (k kind) near(given map[string]string) (shares bool) {
	for flag, level := range k.flags {
		switch {
		case flag == "auth" || flag == "store":
		case level == given[flag]:
			shares = true
		case flag != "alg" && given[flag] == "":
			return false
		}
	}
	return shares
}

// args are the flags that choose it.
func (k kind) args() (args []string) {
	for _, flag := range slices.Sorted(maps.Keys(k.flags)) {
		args = append(args, "-"+flag, k.flags[flag])
	}
	return args
}

// uses says whether a store is opened: for credentials or for accounts.
func (c *Config) uses(store string) bool {
	return c.Accounts == store || slices.Contains(c.kind.stores, store)
}

// leeway is how long past its expiry a credential is accepted.
func (c *Config) leeway() time.Duration {
	if c.kind.leeway {
		return c.Leeway
	}
	return 0
}

// endsByDenylist is how long a token works after its log-out: not at all, unless
// tokens are accepted while nobody can tell which have ended.
func endsByDenylist(c *Config) time.Duration {
	if c.DenylistFail == failOpen {
		return c.Lifetime + c.Leeway
	}
	return 0
}

// revocationBound is the longest that a credential works after it was to end.
func (c *Config) revocationBound() time.Duration {
	if c.kind.ends == nil {
		return 0
	}
	return c.kind.ends(c)
}

func (c *Config) transport() api.Transport {
	t := api.Transport{Carrier: c.kind.carrier, Cookie: c.kind.cookie, Insecure: c.InsecureCookies}
	if c.Credential != "" && t.Carrier != api.CarrierNone {
		t.Carrier = api.Carrier(c.Credential)
	}
	return t
}

func fitCookie(c *Config) error {
	switch {
	case c.IdleTimeout > 0 || c.Touch != "never":
		return errors.New("-store cookie has neither -idle-timeout nor -touch: the server does not see a client-side session again")
	case c.Keys == "":
		return errors.New("-store cookie needs -keys DIR, the same for all replicas")
	}
	return nil
}

func fitTokens(c *Config) error {
	if c.Keys == "" {
		return errors.New("-auth jwt needs -keys DIR, the same for all replicas")
	}
	return nil
}

func sayTokens(c *Config, s *settings) { s.KeysPoll = c.KeysPoll.String() }

func sayDenylist(c *Config, s *settings) {
	sayTokens(c, s)
	s.DenylistFail = c.DenylistFail
}

// fitForeign refuses what a replica that only verifies has no use for: a flag
// that does nothing is a misunderstanding.
func fitForeign(c *Config) error {
	const only = "-profile cognito only verifies: "
	switch {
	case c.JWKS == "":
		return errors.New("-profile cognito needs -jwks URL or FILE, the issuer's keys")
	case c.Issuer == ownName || c.Audience == ownName:
		return errors.New("-profile cognito needs -issuer URL and -audience CLIENT_ID: else it would take tokens that are meant for others")
	case c.Keys != "":
		return errors.New(only + "-keys has no use")
	case c.Mint || c.SeedUsers > 0 || c.uses("postgres"):
		return errors.New(only + "there are no accounts, so -mint, -seed-users and -accounts postgres have no use")
	}
	if !(token.Source{Location: c.JWKS}).IsURL() {
		return nil
	}
	u, err := url.Parse(c.JWKS)
	if err != nil {
		return fmt.Errorf("-jwks: %w", err)
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return fmt.Errorf("-jwks %s://%s: want https, or http to loopback: whoever can change the keys can be anybody", u.Scheme, u.Host)
	}
	return nil
}

func sayForeign(c *Config, s *settings) {
	s.JWKS, s.Accounts = c.JWKS, ""
	if (token.Source{Location: c.JWKS}).IsURL() {
		s.JWKS = address(c.JWKS)
	}
	s.JWKSRefresh, s.JWKSStale = c.JWKSRefresh.String(), c.JWKSStale.String()
}
