package api

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"authbench/servers/account"
	"authbench/servers/auth"
)

// PrivateConfig is what the private listener serves.
type PrivateConfig struct {
	Settings  any // answered by /config as JSON; must hold no secret
	Metrics   *Metrics
	Mint      bool // whether to serve /mint
	Auth      auth.Authenticator
	Transport Transport
	Hosts     []string // names that the listener goes by, beside its address and loopback
}

// NewPrivate returns the handler of the private listener: GET /metrics, GET
// /config and, if asked for, POST /mint. A browser on the same machine or network
// may reach it as well, so it answers to its own name only, and no other site's
// changes.
func NewPrivate(cfg PrivateConfig) http.Handler {
	r := chi.NewRouter()
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(cfg.Metrics.Registry, promhttp.HandlerOpts{}))
	r.Get("/config", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		writeJSON(w, http.StatusOK, cfg.Settings)
	})
	if cfg.Mint {
		r.Post("/mint", minter{cfg.Auth, cfg.Transport}.serve)
	}
	own := sameOrigin(r, crossSite)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isOwn(r, cfg.Hosts) {
			writeProblem(w, http.StatusForbidden, "this listener does not go by that name: -private-hosts gives it others")
			return
		}
		own.ServeHTTP(w, r)
	})
}

// isOwn says whether r's Host is loopback, the address that r came in by, or one
// of names. A page that had its own name point here, so that a browser takes the
// answers for that page's own (DNS rebinding), sends that name.
func isOwn(r *http.Request, names []string) bool {
	host := (&url.URL{Host: r.Host}).Hostname()
	isHost := func(name string) bool { return strings.EqualFold(name, host) }
	if isHost("localhost") || slices.ContainsFunc(names, isHost) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ip.Unmap().IsLoopback() || ok && local.AddrPort().Addr().Unmap() == ip.Unmap()
}

// minter makes credentials without passwords. It exists because a log-in costs
// tens of milliseconds of argon2 on purpose: making 10,000 credentials by log-in
// would fill a measured window with hashing. A minted credential is the arm's
// own, made by its own Issue; only the password check is left out.
type minter struct {
	auth      auth.Authenticator
	transport Transport
}

const (
	mintMax      = 1_000_000 // users are numbered from 0
	mintParallel = 16        // so that a remote store's round trips overlap
	mintBatch    = 512       // lines kept in memory before they are written
)

// mintLine is one line of the answer.
type mintLine struct {
	User       string `json:"user"`
	Credential string `json:"credential"`
	Kind       string `json:"kind"`           // "bearer", "cookie" or, from a control, "none"
	Name       string `json:"name,omitempty"` // of the cookie
}

func (m minter) serve(w http.ResponseWriter, r *http.Request) {
	fields, ok := readFields[json.Number](w, r, "users", "first")
	if !ok {
		return
	}
	users, err := strconv.Atoi(string(fields["users"]))
	first := 0
	if number, given := fields["first"]; given && err == nil {
		first, err = strconv.Atoi(string(number))
	}
	if err != nil || users < 1 || users > mintMax || first < 0 || first > mintMax-users {
		writeProblem(w, http.StatusBadRequest, `want {"users":n,"first":0} with users of at least 1 and numbers below `+strconv.Itoa(mintMax))
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	out := json.NewEncoder(w)
	for done := 0; done < users; done += mintBatch {
		lines, err := m.batch(r, first+done, min(mintBatch, users-done))
		if err != nil {
			m.fail(w, done > 0)
			return
		}
		for i := range lines {
			if out.Encode(&lines[i]) != nil {
				return // the client has gone
			}
		}
	}
}

// fail answers that the store does not work. Once lines have been sent the
// status is sent too, so the connection is cut: a client must not take half a
// list for a whole one.
func (m minter) fail(w http.ResponseWriter, started bool) {
	if started {
		panic(http.ErrAbortHandler)
	}
	w.Header().Del("Content-Type")
	writeProblem(w, http.StatusServiceUnavailable, "a credential could not be issued: try again")
}

// batch makes n credentials, in order.
func (m minter) batch(r *http.Request, first, n int) ([]mintLine, error) {
	lines := make([]mintLine, n)
	group, ctx := errgroup.WithContext(r.Context())
	group.SetLimit(mintParallel)
	for i := range lines {
		group.Go(func() error {
			user := account.SeedName(first + i)
			c, _, err := m.auth.Issue(ctx, auth.Principal{Subject: user, Role: account.RoleUser})
			if err == nil && m.transport.Carrier == CarrierNone {
				// A control answers everybody as one subject: say which, so that
				// whoever checks answers need not know.
				var p auth.Principal
				p, err = m.auth.Authenticate(ctx, c)
				user = p.Subject
			}
			lines[i] = m.line(user, c)
			return err
		})
	}
	return lines, group.Wait()
}

func (m minter) line(user string, c auth.Credential) mintLine {
	switch m.transport.Carrier {
	case CarrierHeader:
		return mintLine{User: user, Credential: string(c), Kind: "bearer"}
	case CarrierCookie:
		return mintLine{User: user, Credential: string(c), Kind: "cookie", Name: m.transport.CookieName()}
	}
	return mintLine{User: user, Kind: "none"}
}
