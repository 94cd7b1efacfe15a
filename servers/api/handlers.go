package api

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"authbench/servers/account"
	"authbench/servers/auth"
)

// authenticate returns who r speaks for. If it cannot, it has answered.
func (a *API) authenticate(w http.ResponseWriter, r *http.Request) (auth.Principal, bool) {
	c, ok := a.presented(w, r)
	if !ok {
		return auth.Principal{}, false
	}
	p, err := a.cfg.Auth.Authenticate(r.Context(), c)
	switch {
	case err == nil:
		a.cfg.Metrics.authOK.Inc()
		return p, true
	case errors.Is(err, auth.ErrUnauthenticated):
		a.cfg.Metrics.authRefused.Inc()
		if a.cfg.Transport.Carrier == CarrierHeader {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		writeProblem(w, http.StatusUnauthorized, "log in first: no valid credential was presented")
	default:
		if !errors.Is(err, context.Canceled) {
			a.cfg.Metrics.authFailed.Inc()
		}
		a.unavailable(w, "authenticate", err)
	}
	return auth.Principal{}, false
}

// presented returns r's credential, or answers 400 if r has more than one.
func (a *API) presented(w http.ResponseWriter, r *http.Request) (auth.Credential, bool) {
	c, ok := a.cfg.Transport.credential(r, a.cookieName)
	if !ok {
		writeProblem(w, http.StatusBadRequest, "two credentials were presented: send one")
	}
	return c, ok
}

// unavailable answers that the replica cannot tell. A call that was cancelled,
// unlike one that ran out of time, means that the client has gone, which is no
// failure of ours.
func (a *API) unavailable(w http.ResponseWriter, what string, err error) {
	if !errors.Is(err, context.Canceled) {
		a.failures.report(what, err)
	}
	writeProblem(w, http.StatusServiceUnavailable, "the service cannot tell at the moment: try again")
}

var (
	jsonType    = []string{"application/json"}
	noStore     = []string{"no-store"}
	bodyBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 256); return &b }}
)

// me is what the measurements ask for most, so it is written by hand: one
// buffer from a pool, no reflection, a known length.
func (a *API) me(w http.ResponseWriter, r *http.Request) {
	p, ok := a.authenticate(w, r)
	if !ok {
		return
	}
	buf := bodyBuffers.Get().(*[]byte)
	b := append((*buf)[:0], `{"sub":`...)
	b = appendJSONString(b, p.Subject)
	b = append(b, `,"role":`...)
	b = appendJSONString(b, p.Role)
	b = append(b, `,"replica":`...)
	b = append(b, a.quotedName...)
	b = append(b, '}')
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	h["X-Replica"] = a.replicaHeader
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	w.Write(b)
	*buf = b
	bodyBuffers.Put(buf)
}

// appendJSONString appends s as a JSON string.
func appendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// loginAnswer is the body of a log-in. Where the credential travels in a
// cookie it is not in the body as well.
type loginAnswer struct {
	AccessToken *string `json:"access_token,omitempty"`
	TokenType   string  `json:"token_type"` // "Bearer", "Cookie" or, from a control, "none"
	ExpiresIn   int64   `json:"expires_in"` // seconds; 0 from a control
}

// login checks a password, ends the credential that was presented, if any, and
// issues a new one: what the client held before the log-in is worth nothing
// after it.
func (a *API) login(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	name, password, ok := readLogin(w, r)
	if !ok {
		return
	}
	old, ok := a.presented(w, r)
	if !ok {
		return
	}
	u, err := a.cfg.Accounts.Check(r.Context(), name, password)
	switch {
	case errors.Is(err, account.ErrBadCredentials):
		writeProblem(w, http.StatusUnauthorized, "unknown user or wrong password")
		return
	case errors.Is(err, account.ErrBusy):
		writeProblem(w, http.StatusServiceUnavailable, "too many log-ins at once: try again")
		return
	case err != nil:
		a.unavailable(w, "log in", err)
		return
	}
	if old != "" {
		if err := a.cfg.Auth.Revoke(r.Context(), old); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			a.unavailable(w, "end the presented credential", err)
			return
		}
	}
	c, expires, err := a.cfg.Auth.Issue(r.Context(), auth.Principal{Subject: u.Name, Role: u.Role})
	if err != nil {
		a.unavailable(w, "issue a credential", err)
		return
	}
	a.answerLogin(w, c, expires)
}

func (a *API) answerLogin(w http.ResponseWriter, c auth.Credential, expires time.Time) {
	life := expires.Sub(a.cfg.Now()).Round(time.Second)
	token := string(c)
	w.Header()["X-Replica"] = a.replicaHeader
	switch a.cfg.Transport.Carrier {
	case CarrierHeader:
		writeJSON(w, http.StatusOK, loginAnswer{AccessToken: &token, TokenType: "Bearer", ExpiresIn: int64(life / time.Second)})
	case CarrierCookie:
		a.cfg.Transport.setCookie(w, c, life)
		writeJSON(w, http.StatusOK, loginAnswer{TokenType: "Cookie", ExpiresIn: int64(life / time.Second)})
	default:
		writeJSON(w, http.StatusOK, loginAnswer{AccessToken: &token, TokenType: "none"})
	}
}

// logout ends the presented credential. Without one, or with one that is
// already worth nothing, there is nothing left to do and it succeeds.
func (a *API) logout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	c, ok := a.presented(w, r)
	if !ok {
		return
	}
	if c != "" {
		err := a.cfg.Auth.Revoke(r.Context(), c)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			a.declareBound(r.Context(), w, c)
		case err != nil:
			a.unavailable(w, "log out", err)
			return
		}
	}
	a.cfg.Transport.clearCookie(w)
	w.Header()["X-Replica"] = a.replicaHeader
	w.WriteHeader(http.StatusNoContent)
}

// declareBound tells a client whose credential cannot be revoked for how many
// seconds it goes on working, rounded up; 0 if it does not work any more.
func (a *API) declareBound(ctx context.Context, w http.ResponseWriter, c auth.Credential) {
	p, err := a.cfg.Auth.Authenticate(ctx, c)
	bound := 0.0
	if err == nil {
		bound = math.Ceil(p.Expiry.Add(a.cfg.Leeway).Sub(a.cfg.Now()).Seconds())
	}
	w.Header().Set("X-Revocation-Bound", strconv.Itoa(int(max(bound, 0))))
}
