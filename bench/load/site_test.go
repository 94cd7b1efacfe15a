package load

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// site stands in for a balancer and its replicas: it keeps the HTTP contract in
// a few lines, and shows its inside to a test.
type site struct {
	URL      string
	Replicas []string // URLs, past the balancer

	jwtLife time.Duration             // 0: sessions, each known to one replica only
	sticky  bool                      // by a route cookie
	wrong   bool                      // answers for somebody else
	down    bool                      // answers 503
	busy    int                       // so many log-outs are answered 503
	refuse  func(http.ResponseWriter) // instead of 401

	mu       sync.Mutex
	turn     int
	sessions []map[string]string // of each replica: ID to user
	log      []seen
}

type seen struct{ path, network, client string }

func newSite(t *testing.T, replicas int) *site {
	t.Helper()
	s := &site{sessions: make([]map[string]string, replicas)}
	for i := range replicas {
		s.sessions[i] = map[string]string{}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.replica(i, w, r) }))
		t.Cleanup(srv.Close)
		s.Replicas = append(s.Replicas, srv.URL)
	}
	srv := httptest.NewServer(http.HandlerFunc(s.balance))
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

func (s *site) balance(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	v := seen{path: r.URL.Path, network: host[:strings.LastIndexByte(host, '.')]}
	if c, err := r.Cookie("client"); err == nil {
		v.client = c.Value
	}
	s.mu.Lock()
	s.log = append(s.log, v)
	to := s.turn % len(s.sessions)
	s.turn++
	s.mu.Unlock()
	if s.sticky {
		if c, err := r.Cookie("route"); err == nil {
			fmt.Sscan(c.Value, &to)
		}
		http.SetCookie(w, &http.Cookie{Name: "route", Value: fmt.Sprint(to), Path: "/"})
	}
	s.replica(to, w, r)
}

func (s *site) replica(i int, w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cookie, err := r.Cookie("arbitrary_name")
	if err != nil {
		cookie = &http.Cookie{}
	}
	switch r.URL.Path {
	case "/login":
		var who struct{ Username, Password string }
		if json.NewDecoder(r.Body).Decode(&who) != nil || who.Password != "correct horse battery staple" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.admit(i, w, who.Username)
	case "/logout":
		if s.busy > 0 {
			s.busy--
			w.Header().Set("Retry-After", "0.05")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		delete(s.sessions[i], cookie.Value)
		http.SetCookie(w, &http.Cookie{Name: "arbitrary_name", MaxAge: -1, Path: "/"})
		w.WriteHeader(http.StatusNoContent)
	case "/me":
		user := s.sessions[i][cookie.Value]
		if s.jwtLife > 0 {
			user = bearer(r.Header.Get("Authorization"))
		}
		switch {
		case s.down:
			w.WriteHeader(http.StatusServiceUnavailable)
		case user == "" && s.refuse != nil:
			s.refuse(w)
		case user == "":
			w.WriteHeader(http.StatusUnauthorized)
		case s.wrong:
			user = "somebody-else"
			fallthrough
		default:
			fmt.Fprintf(w, `{"sub":%q,"role":"user","replica":"r%d"}`, user, i+1)
		}
	}
}

func (s *site) admit(i int, w http.ResponseWriter, user string) {
	if s.jwtLife > 0 {
		claims := fmt.Sprintf(`{"sub":%q,"exp":%d}`, user, time.Now().Add(s.jwtLife).Unix())
		fmt.Fprintf(w, `{"access_token":"e30.%s.c2ln","token_type":"Bearer"}`, base64.RawURLEncoding.EncodeToString([]byte(claims)))
		return
	}
	id := fmt.Sprintf("%s-%d", user, len(s.sessions[i]))
	s.sessions[i][id] = user
	http.SetCookie(w, &http.Cookie{Name: "arbitrary_name", Value: id, Path: "/"})
	fmt.Fprint(w, `{"token_type":"Cookie","expires_in":60}`)
}

// bearer is whose token it is, "" if it has expired. Nothing is signed here.
func bearer(header string) string {
	var c struct {
		Sub string
		Exp int64
	}
	parts := strings.Split(strings.TrimPrefix(header, "Bearer "), ".")
	if len(parts) != 3 {
		return ""
	}
	b, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if json.Unmarshal(b, &c) != nil || time.Now().Unix() >= c.Exp {
		return ""
	}
	return c.Sub
}
