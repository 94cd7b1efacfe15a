package api

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"authbench/servers/auth"
)

// Carrier is where a client puts its credential.
type Carrier string

// The carriers. A control arm has no credential to carry.
const (
	CarrierHeader Carrier = "header" // Authorization: Bearer
	CarrierCookie Carrier = "cookie"
	CarrierNone   Carrier = "none"
)

// Transport takes credentials out of requests and puts them into answers.
// Only the configured carrier counts: a credential in the URL or in the other
// place is not looked at, except to refuse a request that holds two.
type Transport struct {
	Carrier Carrier
	// Cookie is the bare name of the cookie, "session" or "token".
	Cookie string
	// Insecure drops the cookie's Secure attribute and __Host- prefix, so that
	// clients send it over plain HTTP.
	Insecure bool
}

// CookieName is the name that the cookie has on the wire.
func (t Transport) CookieName() string {
	if t.Insecure {
		return t.Cookie
	}
	return "__Host-" + t.Cookie
}

// credential returns what r presents, or "" if it presents none. It reports
// false if r presents more than one: which of them the user meant, or who set
// the other, cannot be known.
func (t Transport) credential(r *http.Request, cookieName string) (auth.Credential, bool) {
	bearer, bearers := bearerIn(r.Header["Authorization"])
	cookie, cookies := cookieIn(r.Header["Cookie"], cookieName)
	if bearers+cookies > 1 {
		return "", false
	}
	switch t.Carrier {
	case CarrierHeader:
		return auth.Credential(bearer), true
	case CarrierCookie:
		return auth.Credential(cookie), true
	}
	return "", true
}

// bearerIn returns the last bearer token among Authorization headers, and how
// many such headers there are.
func bearerIn(headers []string) (token string, n int) {
	const scheme = "bearer "
	for _, h := range headers {
		if len(h) >= len(scheme) && strings.EqualFold(h[:len(scheme)], scheme) {
			token, n = h[len(scheme):], n+1
		}
	}
	return token, n
}

// cookieIn returns the last cookie of this name and how many there are. It is
// net/http's reading without its allocation for every other cookie.
func cookieIn(headers []string, name string) (value string, n int) {
	for _, line := range headers {
		for len(line) > 0 {
			var part string
			part, line, _ = strings.Cut(line, ";")
			if k, v, ok := strings.Cut(strings.Trim(part, " \t"), "="); ok && k == name {
				value, n = v, n+1
			}
		}
	}
	return value, n
}

func (t Transport) setCookie(w http.ResponseWriter, c auth.Credential, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: t.CookieName(), Value: string(c), Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: !t.Insecure, SameSite: http.SameSiteLaxMode,
	})
}

func (t Transport) clearCookie(w http.ResponseWriter) {
	if t.Carrier != CarrierCookie {
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: t.CookieName(), Path: "/", MaxAge: -1,
		HttpOnly: true, Secure: !t.Insecure, SameSite: http.SameSiteLaxMode,
	})
}

// ParseCarrier reads the value of a -credential flag.
func ParseCarrier(s string) (Carrier, error) {
	switch c := Carrier(s); c {
	case CarrierHeader, CarrierCookie:
		return c, nil
	}
	return "", fmt.Errorf("credential %q: want header or cookie", s)
}
