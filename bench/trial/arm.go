package trial

import (
	"fmt"
	"slices"
	"strings"
)

// Arm is one way to authenticate under test. Its text form is its name:
// "none", "session/redis", "jwt/ES256", "jwt/HS256+cookie".
type Arm struct {
	Auth    string // none, session, jwt
	Store   string // of a session: memory, redis, postgres
	Alg     string // of a JWT: HS256, RS256, ES256, EdDSA
	Carrier string // header or cookie; empty means the usual one: cookie for a session, header for a JWT
}

// Control is the arm whose figures are subtracted: the same handler, no credential.
var Control = Arm{Auth: "none"}

var (
	stores     = []string{"memory", "redis", "postgres"}
	algorithms = []string{"HS256", "RS256", "ES256", "EdDSA"}
)

// Arms lists the plain arms: the control, every session store, every JWT algorithm.
func Arms() []Arm {
	arms := []Arm{Control}
	for _, s := range stores {
		arms = append(arms, Arm{Auth: "session", Store: s})
	}
	for _, a := range algorithms {
		arms = append(arms, Arm{Auth: "jwt", Alg: a})
	}
	return arms
}

// ParseArm reads an arm's name.
func ParseArm(name string) (Arm, error) {
	base, carrier, hasCarrier := strings.Cut(name, "+")
	kind, detail, _ := strings.Cut(base, "/")
	a := Arm{Auth: kind, Carrier: carrier}
	switch {
	case hasCarrier && carrier != "header" && carrier != "cookie":
	case kind == "none" && detail == "" && !hasCarrier:
		return a, nil
	case kind == "session" && slices.Contains(stores, detail):
		a.Store = detail
		return a, nil
	case kind == "jwt" && slices.Contains(algorithms, detail):
		a.Alg = detail
		return a, nil
	}
	return Arm{}, fmt.Errorf("unknown arm %q: allowed are %s, each session and jwt arm also with +header or +cookie", name, ArmNames())
}

// ArmNames lists the plain arms for a person to read.
func ArmNames() string {
	var names []string
	for _, a := range Arms() {
		names = append(names, a.String())
	}
	return strings.Join(names, ", ")
}

// String is the arm's name.
func (a Arm) String() string {
	s := a.Auth
	if d := a.Store + a.Alg; d != "" {
		s += "/" + d
	}
	if a.Carrier != "" {
		s += "+" + a.Carrier
	}
	return s
}

// InCookie says whether the credential travels in a cookie.
func (a Arm) InCookie() bool {
	return a.Carrier == "cookie" || a.Carrier == "" && a.Auth == "session"
}

// MarshalText writes the arm's name.
func (a Arm) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads an arm's name. Empty text, as in a selector that is not
// used, gives the zero Arm.
func (a *Arm) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*a = Arm{}
		return nil
	}
	*a, err = ParseArm(string(b))
	return err
}

// Balancer is how nginx chooses a replica.
type Balancer string

const (
	RoundRobin Balancer = "round_robin"
	LeastConn  Balancer = "least_conn"
	IPHash     Balancer = "ip_hash"     // by the first three octets of the client's address
	CookieHash Balancer = "cookie_hash" // by the client cookie ClientCookie, which is set before log-in
	Sticky     Balancer = "sticky"      // by the route cookie RouteCookie, renewed on every response
)

// Cookies of the balancers. The driver, the scripts and the nginx template share these names.
const (
	ClientCookie = "client"
	RouteCookie  = "route"
)

// Balancers lists all of them.
func Balancers() []Balancer {
	return []Balancer{RoundRobin, LeastConn, IPHash, CookieHash, Sticky}
}

// ParseBalancer reads a balancer's name.
func ParseBalancer(name string) (Balancer, error) {
	if b := Balancer(name); slices.Contains(Balancers(), b) {
		return b, nil
	}
	return "", fmt.Errorf("unknown balancer %q: allowed are round_robin, least_conn, ip_hash, cookie_hash, sticky", name)
}
