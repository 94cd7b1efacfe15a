package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"authbench/servers/account"
	"authbench/servers/auth"
)

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
	fields, ok := readFields[string](w, r, "username", "password")
	if !ok {
		return
	}
	name, password := fields["username"], fields["password"]
	if err := account.CheckForm(name, password); err != nil {
		writeProblem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	old, ok := a.presented(w, r)
	if !ok {
		return
	}
	u, err := a.cfg.Accounts.Check(clientOf(r), name, password)
	if err != nil {
		a.notChecked(w, "log in", err, http.StatusUnauthorized, "unknown user or wrong password")
		return
	}
	if old != "" {
		if err := a.cfg.Auth.Revoke(r.Context(), old); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			a.unavailable(w, "end the presented credential", err)
			return
		}
	}
	if c, expires, ok := a.issue(w, r, u); ok {
		a.cfg.Metrics.logins.WithLabelValues("ok").Inc()
		a.answerLogin(w, c, expires)
	}
}

// notChecked answers a password check that failed: a wrong password by status
// and detail, the rest alike everywhere.
func (a *API) notChecked(w http.ResponseWriter, what string, err error, status int, detail string) {
	var limited *account.LimitedError
	switch {
	case errors.Is(err, account.ErrBadCredentials):
		a.cfg.Metrics.logins.WithLabelValues("refused").Inc()
		writeProblem(w, status, detail)
	case errors.As(err, &limited):
		a.cfg.Metrics.logins.WithLabelValues("limited").Inc()
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(limited.RetryAfter.Seconds()))))
		writeProblem(w, http.StatusTooManyRequests, "too many log-ins of this user have failed: wait")
	case errors.Is(err, account.ErrBusy):
		a.cfg.Metrics.logins.WithLabelValues("busy").Inc()
		writeProblem(w, http.StatusServiceUnavailable, "too many log-ins at once: try again")
	default:
		a.unavailable(w, what, err)
	}
}

// issue makes a credential for u, and takes it back if the account has changed
// since its password was checked: whoever changed it has ended the credentials
// that there were, and this one was not among them.
func (a *API) issue(w http.ResponseWriter, r *http.Request, u account.User) (auth.Credential, time.Time, bool) {
	c, expires, err := a.cfg.Auth.Issue(r.Context(), auth.Principal{Subject: u.Name, Role: u.Role})
	if err != nil {
		a.unavailable(w, "issue a credential", err)
		return "", expires, false
	}
	if err := a.cfg.Accounts.Unchanged(r.Context(), u); err != nil {
		if err := a.cfg.Auth.Revoke(r.Context(), c); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			a.failures.report("take back a credential", err)
		}
		a.notChecked(w, "log in", err, http.StatusUnauthorized, "unknown user or wrong password")
		return "", expires, false
	}
	return c, expires, true
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
			a.declareRest(r.Context(), w, c)
		case err != nil:
			a.unavailable(w, "log out", err)
			return
		}
	}
	a.cfg.Transport.clearCookie(w)
	a.done(w)
}

// done answers a change that leaves nothing to say.
func (a *API) done(w http.ResponseWriter) {
	w.Header()["X-Replica"] = a.replicaHeader
	w.WriteHeader(http.StatusNoContent)
}

// declareRest tells a client whose credential cannot be revoked for how many
// seconds it goes on working, rounded up; 0 if it does not work any more.
func (a *API) declareRest(ctx context.Context, w http.ResponseWriter, c auth.Credential) {
	p, err := a.cfg.Auth.Authenticate(ctx, c)
	rest := time.Duration(0)
	if err == nil {
		rest = p.Expiry.Add(a.cfg.Leeway).Sub(a.cfg.Now())
	}
	declareBound(w, rest)
}

// declareBound says for how long what was to end goes on working.
func declareBound(w http.ResponseWriter, bound time.Duration) {
	w.Header().Set("X-Revocation-Bound", strconv.Itoa(int(max(math.Ceil(bound.Seconds()), 0))))
}
