package trial

import (
	"fmt"
	"strings"
)

// Request is a request of the servers' API (servers/api/openapi.yaml) as a
// stream sends it, for one user after the other. In Name and Body {name},
// {password} and {handle} stand for what the user's Credential holds.
type Request struct {
	Name string // method and path
	Body string // JSON; empty for none. It leaves the account as it was, so that it can be sent again

	Guarded   bool // without a good credential no success is right
	NamesUser bool // a success says in "sub" whom the credential speaks for
}

// Requests lists all that a stream can send.
func Requests() []Request {
	return []Request{
		{Name: "GET /me", Guarded: true, NamesUser: true},
		{Name: "POST /login", Body: `{"username":{name},"password":{password}}`},
		{Name: "POST /logout"},
		{Name: "POST /password", Body: `{"current_password":{password},"new_password":{password}}`, Guarded: true},
		{Name: "GET /sessions", Guarded: true},
		{Name: "DELETE /sessions", Guarded: true},
		{Name: "DELETE /sessions/{handle}", Guarded: true},
		{Name: "POST /admin/users/{name}/logout", Guarded: true},
		{Name: "POST /admin/logout-all", Guarded: true},
		{Name: "PUT /admin/users/{name}/role", Body: `{"role":"user"}`, Guarded: true},
		{Name: "PUT /admin/users/{name}/disabled", Body: `{"disabled":false}`, Guarded: true},
		{Name: "GET /.well-known/jwks.json"},
		{Name: "GET /healthz"},
		{Name: "GET /readyz"},
	}
}

// FindRequest finds a request by its name.
func FindRequest(name string) (Request, error) {
	var names []string
	for _, r := range Requests() {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	return Request{}, fmt.Errorf("unknown request %q: want one of %s", name, strings.Join(names, ", "))
}

// Split returns method and path.
func (r Request) Split() (method, path string) {
	method, path, _ = strings.Cut(r.Name, " ")
	return method, path
}
