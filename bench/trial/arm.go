package trial

import (
	"fmt"
	"slices"
	"strings"
)

// Arm names one way to authenticate under test: "none", "session/redis",
// "jwt/ES256", "jwt/HS256+cookie". What follows from a name is in the catalogue
// of package arm.
type Arm string

// Control is the arm whose figures are subtracted: the same handler, no credential.
const Control Arm = "none"

func (a Arm) String() string { return string(a) }

// Base is the arm's name without what only says how its credential travels.
func (a Arm) Base() Arm {
	return Arm(strings.TrimSuffix(strings.TrimSuffix(string(a), "+header"), "+cookie"))
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

// Sticks says whether all requests of a user go to one replica.
func (b Balancer) Sticks() bool { return b == IPHash || b == CookieHash || b == Sticky }

// ParseBalancer reads a balancer's name.
func ParseBalancer(name string) (Balancer, error) {
	if b := Balancer(name); slices.Contains(Balancers(), b) {
		return b, nil
	}
	return "", fmt.Errorf("unknown balancer %q: want round_robin, least_conn, ip_hash, cookie_hash or sticky", name)
}
