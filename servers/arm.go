package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"authbench/servers/account"
	"authbench/servers/api"
	"authbench/servers/auth"
	"authbench/servers/session"
	"authbench/servers/store"
	"authbench/servers/token"
)

// arm is one way to authenticate, ready to serve, with what it needs beside it.
type arm struct {
	auth     auth.Authenticator
	accounts *account.Checker
	jwks     func() []byte // nil where there are no tokens
	checks   []api.Check
	tokens   *token.Authenticator // nil where there are none of our own
	foreign  *token.Remote        // nil unless another issuer's tokens are verified
	sweeper  session.Sweeper      // nil if nothing needs sweeping
	postgres *store.Postgres      // nil if not used
	redis    *redis.Client        // nil if not used
}

// startTimeout bounds everything that a replica does before it serves:
// connecting, migrating, seeding.
const startTimeout = 30 * time.Second

// newArm opens the stores that cfg names and builds the arm over them. The
// caller closes it, also after an error.
func newArm(ctx context.Context, cfg Config, metrics *api.Metrics) (*arm, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	a := &arm{}
	options := store.Options{Timeout: cfg.StoreTimeout, Pool: cfg.Pool}
	if cfg.uses("postgres") {
		db, err := store.OpenPostgres(ctx, cfg.Postgres, options)
		if err != nil {
			return a, fmt.Errorf("-postgres: %w", err)
		}
		a.postgres = db
		a.checks = append(a.checks, api.Check{Name: "postgres", Ready: db.Ready})
	}
	if cfg.uses("redis") {
		client, err := store.OpenRedis(cfg.Redis, options)
		if err != nil {
			return a, fmt.Errorf("-redis: %w", err)
		}
		a.redis = client
	}
	if !cfg.kind.foreign {
		if err := a.openAccounts(ctx, cfg, metrics); err != nil {
			return a, err
		}
	}
	return a, cfg.kind.open(ctx, a, cfg, metrics)
}

// openFailures counts failed log-ins where all replicas see it, if there is
// such a place.
func (a *arm) openFailures(ctx context.Context, cfg Config) (account.Failures, error) {
	limit := account.Limit{Failures: cfg.LoginFailures, Window: cfg.LoginWindow}
	switch {
	case a.redis != nil:
		return account.NewRedisFailures(a.redis, cfg.StoreTimeout, limit), nil
	case a.postgres != nil:
		return account.NewPostgresFailures(ctx, a.postgres, limit)
	}
	return account.NewMemoryFailures(limit, cfg.Now), nil
}

func (a *arm) openAccounts(ctx context.Context, cfg Config, metrics *api.Metrics) error {
	var accounts account.Store = account.NewMemory()
	if cfg.Accounts == "postgres" {
		db, err := account.NewPostgres(ctx, a.postgres)
		if err != nil {
			return fmt.Errorf("accounts: %w", err)
		}
		accounts = db
	}
	hasher := account.NewHasher(cfg.Argon2, cfg.loginPermits(), cfg.LoginQueue)
	if cfg.SeedUsers > 0 {
		if err := account.Seed(ctx, accounts, hasher, cfg.SeedUsers); err != nil {
			return err
		}
	}
	failures, err := a.openFailures(ctx, cfg)
	if err != nil {
		return fmt.Errorf("failed log-ins: %w", err)
	}
	a.accounts = account.NewChecker(account.Observe(accounts, metrics.StoreObserver("accounts", "find", "add", "replace")), hasher)
	a.accounts.Failures = failures
	return nil
}

func openNone(_ context.Context, a *arm, _ Config, _ *api.Metrics) error {
	a.auth = auth.None{}
	return nil
}

// openCookie makes the sessions that the client keeps.
func openCookie(_ context.Context, a *arm, cfg Config, _ *api.Metrics) error {
	key, err := session.LoadCookieKey(cfg.Keys)
	if err != nil {
		return fmt.Errorf("-keys: %w", err)
	}
	a.auth, err = session.NewCookie(key, session.Config{Lifetime: cfg.Lifetime, Now: cfg.Now})
	return err
}

func openMemory(_ context.Context, a *arm, cfg Config, metrics *api.Metrics) error {
	m := session.NewMemory(cfg.Now, cfg.MemoryMax)
	m.PerSubject = cfg.SessionsPerUser
	a.sweeper = m
	a.keepSessions(m, cfg, metrics)
	return nil
}

func openRedis(ctx context.Context, a *arm, cfg Config, metrics *api.Metrics) error {
	r := session.NewRedis(a.redis, cfg.StoreTimeout)
	r.PerSubject = cfg.SessionsPerUser
	if err := r.Ping(ctx); err != nil {
		return fmt.Errorf("-redis: %w", err)
	}
	a.checks = append(a.checks, api.Check{Name: "redis", Ready: r.Ready})
	a.keepSessions(r, cfg, metrics)
	return nil
}

func openPostgres(unlogged bool) opener {
	return func(ctx context.Context, a *arm, cfg Config, metrics *api.Metrics) error {
		p, err := session.NewPostgres(ctx, a.postgres, unlogged)
		if err != nil {
			return fmt.Errorf("sessions: %w", err)
		}
		p.PerSubject = cfg.SessionsPerUser
		a.sweeper = p
		a.keepSessions(p, cfg, metrics)
		return nil
	}
}

// keepSessions keeps what authenticates in a store of the server's.
func (a *arm) keepSessions(sessions session.Store, cfg Config, metrics *api.Metrics) {
	observed := session.Observe(sessions, metrics.StoreObserver("sessions", session.Operations()...))
	a.auth = session.New(observed, session.Config{
		Lifetime: cfg.Lifetime, IdleTimeout: cfg.IdleTimeout, Touch: session.Touch(cfg.Touch), TouchEvery: cfg.TouchEvery,
		Now: cfg.Now,
	})
}

func openTokens(_ context.Context, a *arm, cfg Config, _ *api.Metrics) error {
	keys, err := cfg.signingKeys()
	if err != nil {
		return err
	}
	if a.tokens, err = token.New(keys, cfg.tokens()); err != nil {
		return err
	}
	a.auth, a.jwks = a.tokens, a.tokens.JWKS
	return nil
}

// openDenylist makes tokens that end by a log-out.
func openDenylist(ctx context.Context, a *arm, cfg Config, metrics *api.Metrics) error {
	keys, err := cfg.signingKeys()
	if err != nil {
		return err
	}
	list := token.NewDenylist(a.redis, cfg.StoreTimeout, metrics.StoreObserver("denylist", token.DenylistOperations()...))
	if err := list.Ping(ctx); err != nil {
		return fmt.Errorf("-redis: %w", err)
	}
	revocable, err := token.NewRevocable(keys, cfg.tokens(), list)
	if err != nil {
		return err
	}
	revocable.FailOpen = cfg.DenylistFail == failOpen
	a.tokens, a.auth, a.jwks = revocable.Authenticator, revocable, revocable.JWKS
	a.checks = append(a.checks, api.Check{Name: "redis", Ready: list.Ready})
	return nil
}

// signingKeys reads the keys, and makes one if there is none.
func (c *Config) signingKeys() (*token.KeySet, error) {
	if err := token.GenerateKeys(c.Keys, c.Alg); err != nil {
		return nil, fmt.Errorf("-keys: %w", err)
	}
	keys, err := token.LoadKeys(c.Keys, c.Alg)
	if err != nil {
		return nil, fmt.Errorf("-keys: %w", err)
	}
	return keys, nil
}

// tokens is what the flags say of tokens.
func (c *Config) tokens() token.Config {
	return token.Config{Profile: token.Profile(c.Profile), Issuer: c.Issuer, Audience: c.Audience,
		Lifetime: c.Lifetime, Leeway: c.Leeway, Now: c.Now}
}

// openForeign verifies another issuer's tokens. It is ready as long as the keys
// that it has are good, whether or not the issuer answers at the moment.
func openForeign(_ context.Context, a *arm, cfg Config, _ *api.Metrics) (err error) {
	a.foreign, err = token.NewRemote(
		token.Source{Location: cfg.JWKS, Refresh: cfg.JWKSRefresh, Stale: cfg.JWKSStale, Timeout: cfg.StoreTimeout},
		cfg.tokens())
	if err != nil {
		return fmt.Errorf("-jwks: %w", err)
	}
	a.auth = a.foreign
	a.checks = append(a.checks, api.Check{Name: "the issuer of tokens", Ready: a.foreign.Ready})
	return nil
}

// followKeys goes over to the keys that the folder or the other issuer has,
// until ctx ends.
func (a *arm) followKeys(ctx context.Context, cfg Config, log *slog.Logger) {
	report := func(err error) {
		if skipped, ok := errors.AsType[*token.SkippedKey](err); ok { // an issuer may well have keys for others
			log.Warn("a key of the issuer is not used", "kid", skipped.ID, "error", err)
			return
		}
		log.Error("not all keys can be used", "error", err)
	}
	switch {
	case a.tokens != nil:
		a.tokens.Follow(ctx, token.Folder{Dir: cfg.Keys, Alg: cfg.Alg}, cfg.KeysPoll, report)
	case a.foreign != nil:
		a.foreign.Follow(ctx, report)
	}
}

// sweep deletes expired sessions every interval until ctx ends.
func (a *arm) sweep(ctx context.Context, interval time.Duration, log *slog.Logger) {
	if a.sweeper == nil {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		within, cancel := context.WithTimeout(ctx, startTimeout)
		_, err := a.sweeper.Sweep(within)
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			log.Warn("expired sessions were not swept", "error", err)
		}
	}
}

func (a *arm) close() {
	if a.postgres != nil {
		a.postgres.Pool.Close()
	}
	if a.redis != nil {
		a.redis.Close()
	}
}
