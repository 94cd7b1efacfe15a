// Package api is what a replica serves over HTTP: the same routes, handlers,
// headers and limits for every arm, so that arms differ by their
// [auth.Authenticator] and by nothing else.
//
// In come requests; out go answers as openapi.yaml describes them. GET /me is
// answered from the credential's principal alone, without a look-up of the
// account, in every arm. Errors are RFC 9457 problems. 401 means that the
// credential is no good, 503 that the system cannot tell; they are never
// confused.
//
// [New] serves the public routes, [NewPrivate] those that must never be
// reachable from outside: metrics, configuration and minting.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"authbench/servers/account"
	"authbench/servers/auth"
	"authbench/servers/store"
)

// Check says whether something that the replica needs is there: nil, or an error
// that wraps [store.WritesRefusedError] or [store.EvictsError] where only half of it
// is. Name is for the answer of /readyz.
type Check struct {
	Name  string
	Ready func(context.Context) error
}

// fault says in words for anybody what a check found.
func (c Check) fault(err error) string {
	if refused, ok := errors.AsType[*store.WritesRefusedError](err); ok {
		return c.Name + " refuses writes (" + refused.Why + ")"
	}
	if evicts, ok := errors.AsType[*store.EvictsError](err); ok {
		return c.Name + " evicts (" + evicts.Policy + "), want noeviction"
	}
	return c.Name + " does not answer"
}

// Config is what an API is made of. All fields but JWKS, Checks and VerifyOnly
// are required.
type Config struct {
	Auth       auth.Authenticator
	Accounts   *account.Checker // nil if VerifyOnly
	Transport  Transport
	VerifyOnly bool             // others issue the credentials: of the routes about them only GET /me is served
	Replica    string           // this replica's name, in every answer of /me
	Bound      time.Duration    // longest life of a credential that cannot be revoked
	Leeway     time.Duration    // how long past its expiry a credential is still accepted
	Now        func() time.Time // the server's clock
	JWKS       func() []byte    // the public keys of the moment, as a JSON document; nil means none
	Checks     []Check          // asked by /readyz, each within ReadyTimeout; none: ready unless draining

	AlwaysReady bool // /readyz names what the checks find, and answers 200 all the same

	Metrics *Metrics
	Log     *slog.Logger
}

// ReadyTimeout bounds each check of /readyz.
const ReadyTimeout = 250 * time.Millisecond

// API serves the public routes of one replica.
type API struct {
	cfg        Config
	cookieName string
	quotedName []byte // the replica's name as JSON
	// replicaHeader is shared by all answers: handlers put it in, and nothing
	// changes it.
	replicaHeader []string
	draining      atomic.Bool
	closing       atomic.Bool
	router        chi.Router
	handler       http.Handler
	failures      failureLog
}

// New returns the API of one replica.
func New(cfg Config) *API {
	if cfg.JWKS == nil {
		cfg.JWKS = func() []byte { return []byte(`{"keys":[]}`) }
	}
	a := &API{
		cfg:        cfg,
		cookieName: cfg.Transport.CookieName(),
		quotedName: appendJSONString(nil, cfg.Replica),
		failures:   failureLog{log: cfg.Log},

		replicaHeader: []string{cfg.Replica},
	}
	a.router = a.routes()
	a.handler = sameOrigin(a.router, cfg.Metrics.measured("cross-site", crossSite))
	return a
}

// sameOrigin refuses browsers' changes from another site, log-in included. It looks
// at Sec-Fetch-Site and Origin, so other clients pass.
func sameOrigin(next http.Handler, deny http.HandlerFunc) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(deny)
	return protection.Handler(next)
}

func crossSite(w http.ResponseWriter, _ *http.Request) {
	writeProblem(w, http.StatusForbidden, "cross-site requests may not change anything")
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.closing.Load() {
		w.Header().Set("Connection", "close")
	}
	a.handler.ServeHTTP(w, r)
}

// CloseConnections makes each answer from now on the last on its connection.
func (a *API) CloseConnections() { a.closing.Store(true) }

// Drain makes /readyz answer 503 from now on; everything else goes on.
func (a *API) Drain() { a.draining.Store(true) }

func (a *API) routes() chi.Router {
	r := chi.NewRouter()
	route := func(method, pattern string, h http.HandlerFunc) {
		if method != http.MethodGet {
			h = carried(h)
		}
		r.Method(method, pattern, a.cfg.Metrics.measured(pattern, h))
	}
	// Accounts, and the beginning and end of credentials, are the issuer's.
	issuers := func(method, pattern string, h http.HandlerFunc) {
		if a.cfg.VerifyOnly {
			h = issuedElsewhere
		}
		route(method, pattern, h)
	}
	issuers(http.MethodPost, "/login", a.login)
	route(http.MethodGet, "/me", a.me)
	issuers(http.MethodPost, "/logout", a.logout)
	issuers(http.MethodPost, "/password", a.password)
	issuers(http.MethodGet, "/sessions", a.listSessions)
	issuers(http.MethodDelete, "/sessions", a.endSessions)
	issuers(http.MethodDelete, "/sessions/{handle}", a.endSession)
	issuers(http.MethodPost, "/admin/users/{name}/logout", a.admin(a.logoutUser))
	issuers(http.MethodPost, "/admin/logout-all", a.admin(a.logoutAll))
	issuers(http.MethodPut, "/admin/users/{name}/role", a.admin(a.setRole))
	issuers(http.MethodPut, "/admin/users/{name}/disabled", a.admin(a.setDisabled))
	route(http.MethodGet, "/.well-known/jwks.json", a.jwks)
	route(http.MethodGet, "/healthz", a.healthz)
	route(http.MethodGet, "/readyz", a.readyz)
	r.NotFound(a.cfg.Metrics.measured("unknown", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusNotFound, "no such route")
	}))
	r.MethodNotAllowed(a.cfg.Metrics.measured("unknown", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusMethodNotAllowed, "method not allowed")
	}))
	return r
}

// carried makes a request one that goes on when its client hangs up: half a
// change, such as a new password beside the sessions of whoever stole the old
// one, is worse than none or all of it. What it asks of a store has the store's
// deadline, and Shutdown waits for it as for any request.
func carried(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		client := r.Context()
		next(w, r.WithContext(context.WithValue(context.WithoutCancel(client), clientKey{}, client)))
	}
}

type clientKey struct{}

// clientOf returns what ends when the client of a carried request hangs up: for
// the queue of password hashes, where whoever has left keeps others waiting.
func clientOf(r *http.Request) context.Context {
	return r.Context().Value(clientKey{}).(context.Context)
}

func issuedElsewhere(w http.ResponseWriter, _ *http.Request) {
	writeProblem(w, http.StatusNotFound, "this replica only verifies credentials: go to their issuer")
}

func (a *API) jwks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(a.cfg.JWKS())
}

// healthz says that the process serves; a store that is down is no reason to
// restart it.
func (a *API) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	if a.draining.Load() {
		writeProblem(w, http.StatusServiceUnavailable, "this replica is draining")
		return
	}
	var faults []string
	for _, c := range a.cfg.Checks {
		ctx, cancel := context.WithTimeout(r.Context(), ReadyTimeout)
		err := c.Ready(ctx)
		cancel()
		if err != nil {
			a.failures.report("not ready", fmt.Errorf("%s: %w", c.Name, err))
			faults = append(faults, c.fault(err))
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	answer := map[string]string{"status": "ready"}
	if len(faults) > 0 {
		answer = map[string]string{"status": "degraded", "detail": strings.Join(faults, "; ")}
		if !a.cfg.AlwaysReady {
			writeProblem(w, http.StatusServiceUnavailable, "degraded: "+answer["detail"])
			return
		}
	}
	writeJSON(w, http.StatusOK, answer)
}

// failureLog writes at most one record of a kind in a second, with the count of
// those it left out: an outage at thousands of requests a second must not become
// a load of its own, and must not hide the one change that failed.
type failureLog struct {
	log   *slog.Logger
	kinds sync.Map // of *failureKind, by what failed
}

type failureKind struct {
	last    atomic.Int64 // Unix seconds
	skipped atomic.Int64
}

// report tells of a failure; what is one of a few constants.
func (l *failureLog) report(what string, err error) {
	found, _ := l.kinds.LoadOrStore(what, new(failureKind))
	kind, now := found.(*failureKind), time.Now().Unix()
	if last := kind.last.Load(); last == now || !kind.last.CompareAndSwap(last, now) {
		kind.skipped.Add(1)
		return
	}
	l.log.Error(what, "error", err, "similar_left_out", kind.skipped.Swap(0))
}
