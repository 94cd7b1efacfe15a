package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"

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
	a.unavailableBut(w, what, err, tryAgain)
}

// tryAgain is for a client whose request may be repeated.
const tryAgain = "the service cannot tell at the moment: try again"

func (a *API) unavailableBut(w http.ResponseWriter, what string, err error, advice string) {
	if !errors.Is(err, context.Canceled) {
		a.failures.report(what, err)
	}
	writeProblem(w, http.StatusServiceUnavailable, advice)
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
