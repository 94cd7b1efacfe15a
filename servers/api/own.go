package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"authbench/servers/account"
	"authbench/servers/auth"
)

// password changes the user's own, and ends their other credentials: whoever
// had stolen one, or the old password, is out.
func (a *API) password(w http.ResponseWriter, r *http.Request) {
	p, c, ok := a.own(w, r)
	if !ok {
		return
	}
	fields, ok := readFields[string](w, r, "current_password", "new_password")
	if !ok {
		return
	}
	current, next := fields["current_password"], fields["new_password"]
	if err := errors.Join(account.CheckForm(p.Subject, current), account.CheckPassword(next)); err != nil {
		writeProblem(w, http.StatusUnprocessableEntity, "want current_password, and as new_password 8 to 128 characters of UTF-8")
		return
	}
	err := a.cfg.Accounts.ChangePassword(clientOf(r), p.Subject, current, next)
	if errors.Is(err, account.ErrChanging) {
		writeProblem(w, http.StatusConflict, "the account was changed by somebody else meanwhile: try again")
		return
	}
	if err != nil {
		a.notChecked(w, "change password", err, http.StatusForbidden, "the current password is wrong")
		return
	}
	a.endSubject(w, r, p.Subject, c, "the password is changed, but other credentials may still work: end them by DELETE /sessions")
}

// own authenticates a request about the user's own account, and returns the
// credential with it. If it cannot, it has answered.
func (a *API) own(w http.ResponseWriter, r *http.Request) (auth.Principal, auth.Credential, bool) {
	w.Header().Set("Cache-Control", "no-store")
	p, ok := a.authenticate(w, r)
	if !ok {
		return p, "", false
	}
	c, ok := a.presented(w, r)
	return p, c, ok
}

// endSubject ends the credentials of subject but keep, and says for how long
// they go on working where that is not possible. If the store fails, it answers
// with advice.
func (a *API) endSubject(w http.ResponseWriter, r *http.Request, subject string, keep auth.Credential, advice string) {
	revoker, ok := a.cfg.Auth.(subjectRevoker)
	if !ok {
		declareBound(w, a.cfg.Bound)
		a.done(w)
		return
	}
	if err := revoker.RevokeSubject(r.Context(), subject, keep); err != nil {
		a.unavailableBut(w, "end the credentials of a user", err, advice)
		return
	}
	a.done(w)
}

// sessionAnswer is one of the user's sessions. Times are as RFC 3339 has them.
type sessionAnswer struct {
	Handle   string    `json:"handle"`
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"last_seen"`
	Expires  time.Time `json:"expires"`
	Current  bool      `json:"current"`
}

// noList answers in arms that keep no record of log-ins.
func noList(w http.ResponseWriter) {
	writeProblem(w, http.StatusNotFound, "these credentials are not recorded: there is no list of them")
}

func (a *API) listSessions(w http.ResponseWriter, r *http.Request) {
	p, c, ok := a.own(w, r)
	if !ok {
		return
	}
	l, ok := a.cfg.Auth.(lister)
	if !ok {
		noList(w)
		return
	}
	logIns, err := l.List(r.Context(), p.Subject, c)
	if err != nil {
		a.unavailable(w, "list sessions", err)
		return
	}
	answer := make([]sessionAnswer, len(logIns))
	for i, s := range logIns {
		answer[i] = sessionAnswer(s)
	}
	w.Header()["X-Replica"] = a.replicaHeader
	writeJSON(w, http.StatusOK, map[string][]sessionAnswer{"sessions": answer})
}

// endSessions ends all of the user's sessions, the one that asks included.
func (a *API) endSessions(w http.ResponseWriter, r *http.Request) {
	if p, _, ok := a.own(w, r); ok {
		a.endSubject(w, r, p.Subject, "", tryAgain)
	}
}

func (a *API) endSession(w http.ResponseWriter, r *http.Request) {
	p, _, ok := a.own(w, r)
	if !ok {
		return
	}
	l, ok := a.cfg.Auth.(lister)
	if !ok {
		noList(w)
		return
	}
	found, err := l.RevokeHandle(r.Context(), p.Subject, chi.URLParam(r, "handle"))
	switch {
	case err != nil:
		a.unavailable(w, "end a session", err)
	case !found:
		writeProblem(w, http.StatusNotFound, "you have no such session")
	default:
		a.done(w)
	}
}
