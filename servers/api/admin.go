package api

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"authbench/servers/account"
)

// admin lets only administrators pass. Who is one, the credential says: in the
// arms that cannot revoke, a role that was taken away works until the bound.
func (a *API) admin(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		p, ok := a.authenticate(w, r)
		if !ok {
			return
		}
		if p.Role != account.RoleAdmin {
			writeProblem(w, http.StatusForbidden, "this is for administrators")
			return
		}
		next(w, r)
	}
}

// logoutUser ends one user's credentials.
func (a *API) logoutUser(w http.ResponseWriter, r *http.Request) {
	name, ok := userName(w, r)
	if !ok {
		return
	}
	found, err := a.cfg.Accounts.Exists(r.Context(), name)
	if a.changed(w, found, err) {
		a.endSubject(w, r, name, "", tryAgain)
	}
}

// logoutAll ends everybody's credentials, the one that asks included.
func (a *API) logoutAll(w http.ResponseWriter, r *http.Request) {
	revoker, ok := a.cfg.Auth.(subjectRevoker)
	if !ok {
		declareBound(w, a.cfg.Bound)
		a.done(w)
		return
	}
	if err := revoker.RevokeAll(r.Context()); err != nil {
		a.unavailable(w, "end all credentials", err)
		return
	}
	a.done(w)
}

// setRole gives a user another role, and ends their credentials, which have the
// old one in them: the next log-in has the new one.
func (a *API) setRole(w http.ResponseWriter, r *http.Request) {
	fields, ok := readFields[string](w, r, "role")
	if !ok {
		return
	}
	role := fields["role"]
	if role != account.RoleUser && role != account.RoleAdmin {
		writeProblem(w, http.StatusUnprocessableEntity, "want as role user or admin")
		return
	}
	name, ok := userName(w, r)
	if !ok {
		return
	}
	found, err := a.cfg.Accounts.SetRole(r.Context(), name, role)
	if a.changed(w, found, err) {
		a.endSubject(w, r, name, "", tryAgain)
	}
}

// setDisabled says whether a user may log in; if not, their credentials end.
func (a *API) setDisabled(w http.ResponseWriter, r *http.Request) {
	fields, ok := readFields[bool](w, r, "disabled")
	if !ok {
		return
	}
	disabled, ok := fields["disabled"]
	if !ok {
		writeProblem(w, http.StatusUnprocessableEntity, "want as disabled true or false")
		return
	}
	name, ok := userName(w, r)
	if !ok {
		return
	}
	found, err := a.cfg.Accounts.SetDisabled(r.Context(), name, disabled)
	if !a.changed(w, found, err) {
		return
	}
	if !disabled {
		a.done(w)
		return
	}
	a.endSubject(w, r, name, "", tryAgain)
}

// userName returns the name in the path. If no account can have it, userName
// has answered.
func userName(w http.ResponseWriter, r *http.Request) (string, bool) {
	name, err := chi.URLParam(r, "name"), error(nil)
	if r.URL.RawPath != "" { // then chi has routed by it, and left it encoded
		name, err = url.PathUnescape(name)
	}
	if err != nil || account.CheckForm(name, "-") != nil {
		writeProblem(w, http.StatusNotFound, "there is no such user")
		return "", false
	}
	return name, true
}

// changed says whether an account was found and changed. If not, it has
// answered.
func (a *API) changed(w http.ResponseWriter, found bool, err error) bool {
	switch {
	case errors.Is(err, account.ErrChanging):
		writeProblem(w, http.StatusConflict, "the account was changed by somebody else meanwhile: try again")
	case err != nil:
		a.unavailable(w, "change an account", err)
	case !found:
		writeProblem(w, http.StatusNotFound, "there is no such user")
	default:
		return true
	}
	return false
}
