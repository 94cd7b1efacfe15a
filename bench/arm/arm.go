// Package arm is the catalogue of the ways to authenticate that are put to the
// test: one literal an arm, with what follows from it for everybody else: the
// server's settings, the stores beside it, where its state lives and when its
// credentials end. Whoever needs to know something of an arm asks here, so that
// nobody takes a name apart. It imports package trial alone and starts nothing.
package arm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"authbench/bench/trial"
)

// Family is the kind of credential that an arm hands out.
type Family string

const (
	Control Family = "none"    // no credential: the handler alone
	Session Family = "session" // a reference to what the server keeps, or a sealed copy of it
	Token   Family = "jwt"     // a signed statement
)

// State says where the state lives that a request is authenticated by.
type State string

const (
	Nowhere State = "nowhere"
	Replica State = "replica" // in the memory of the replica that made it
	Shared  State = "shared"  // in a store that all replicas ask
	Client  State = "client"  // in the credential itself
	Split   State = "split"   // in the credential; what ends it early, in a store that all replicas ask
)

// Ending says when a credential that was logged out stops working everywhere.
type Ending string

const (
	AtOnce   Ending = "at once"
	AtExpiry Ending = "at expiry" // the server keeps nothing that could end it before
)

// Carrier is what a credential travels in.
type Carrier string

const (
	None   Carrier = "none"
	Header Carrier = "header"
	Cookie Carrier = "cookie"
)

// StoreUse is a store that stands beside an arm.
type StoreUse struct {
	Store string // redis, postgres
	// Asked: on every authenticated request, and its CPU is charged to the arm.
	// Otherwise it only stands there, known to the replicas, so that its not being
	// asked is seen and not presumed.
	Asked bool
}

// Kind is an arm of the catalogue.
type Kind struct {
	Name    trial.Arm
	Plain   trial.Arm // the arm that it adds something to, such as a denylist; "" if it is a plain one itself
	Family  Family
	Factors []string          // what sets it apart, as factor=level: for verdicts that depend on it
	Server  map[string]string // the server's flags that make it
	Keys    bool              // its replicas share a folder of keys
	Stores  []StoreUse
	State   State
	Ends    Ending
	Carrier Carrier
	Colour  uint32 // in every chart, 0xRRGGBB: the control grey, sessions green to violet, JWT yellow to red
}

// ControlArm is the arm whose figures are subtracted: the same handler, no credential.
const ControlArm = trial.Control

// All lists the catalogue in the order of every chart and table.
func All() []Kind {
	standby := []StoreUse{{Store: "redis"}}
	token := func(name, alg string, colour uint32) Kind {
		return Kind{Name: trial.Arm("jwt/" + name), Family: Token, Factors: []string{"algorithm=" + alg},
			Server: map[string]string{"auth": "jwt", "alg": alg}, Keys: true, Stores: standby, State: Client, Ends: AtExpiry,
			Carrier: Header, Colour: colour}
	}
	denylist := token("HS256+denylist", "HS256", 0x8a6d3b)
	denylist.Plain, denylist.Server["denylist"] = "jwt/HS256", "redis"
	denylist.Factors = append(denylist.Factors, "denylist=redis")
	denylist.Stores, denylist.State, denylist.Ends = []StoreUse{{"redis", true}}, Split, AtOnce
	return []Kind{
		{Name: ControlArm, Family: Control, Server: map[string]string{"auth": "none"}, State: Nowhere, Carrier: None, Colour: 0x848d97},
		{Name: "session/memory", Family: Session, Factors: []string{"store=memory"},
			Server: map[string]string{"auth": "session", "store": "memory"}, State: Replica, Ends: AtOnce, Carrier: Cookie, Colour: 0x3c9f63},
		{Name: "session/redis", Family: Session, Factors: []string{"store=redis"},
			Server: map[string]string{"auth": "session", "store": "redis"}, Stores: []StoreUse{{"redis", true}}, State: Shared, Ends: AtOnce,
			Carrier: Cookie, Colour: 0x358fe0},
		{Name: "session/postgres", Family: Session, Factors: []string{"store=postgres"},
			Server: map[string]string{"auth": "session", "store": "postgres"}, Stores: []StoreUse{{"postgres", true}}, State: Shared, Ends: AtOnce,
			Carrier: Cookie, Colour: 0x5562c9},
		{Name: "session/postgres-unlogged", Plain: "session/postgres", Family: Session,
			Factors: []string{"store=postgres", "durability=unlogged"}, Server: map[string]string{"auth": "session", "store": "postgres-unlogged"},
			Stores: []StoreUse{{"postgres", true}}, State: Shared, Ends: AtOnce, Carrier: Cookie, Colour: 0x8c9aeb},
		{Name: "session/cookie", Family: Session, Factors: []string{"store=cookie"},
			Server: map[string]string{"auth": "session", "store": "cookie"}, Keys: true, State: Client, Ends: AtExpiry,
			Carrier: Cookie, Colour: 0x7b4fa8},
		token("HS256", "HS256", 0xe3a01b), token("RS256", "RS256", 0xe5722c),
		token("ES256", "ES256", 0xd43c3c), token("EdDSA", "EdDSA", 0xc94f8a),
		denylist,
	}
}

// catalogue is All, made once: a report looks arms up by the hundred thousand.
var catalogue = sync.OnceValue(All)

// carriers are the suffixes that make an arm travel another way.
var carriers = []Carrier{Header, Cookie}

// Lookup finds an arm by its name: one of the catalogue, or with +header or
// +cookie the same arm travelling that way. The error lists what is allowed.
func Lookup(name trial.Arm) (Kind, error) {
	base, carrier := name.Base(), Carrier("")
	for _, c := range carriers {
		if strings.HasSuffix(string(name), "+"+string(c)) {
			carrier = c
		}
	}
	for _, k := range catalogue() {
		switch {
		case k.Name != base || carrier != "" && k.Family == Control:
		case carrier == "":
			return k, nil
		default:
			k.Name, k.Carrier = name, carrier
			k.Server = maps.Clone(k.Server)
			k.Server["credential"] = string(carrier)
			return k, nil
		}
	}
	return Kind{}, fmt.Errorf("unknown arm %q: want one of %s, or a session or jwt arm with +header or +cookie", name, Names())
}

// Of is Lookup for a name that was checked before; of an unknown one it is the zero Kind.
func Of(name trial.Arm) Kind {
	k, _ := Lookup(name)
	return k
}

// Names lists the catalogue for a person to read.
func Names() string {
	var names []string
	for _, k := range All() {
		names = append(names, string(k.Name))
	}
	return strings.Join(names, ", ")
}

// Balancer is one behind which several replicas of the arm lose no user.
func (k Kind) Balancer() trial.Balancer {
	if k.State == Replica {
		return trial.Sticky
	}
	return trial.RoundRobin
}

// Uses says whether a store stands beside the arm, and whether requests ask it.
func (k Kind) Uses(store string) (there, asked bool) {
	for _, u := range k.Stores {
		if u.Store == store {
			return true, u.Asked
		}
	}
	return false, false
}

// Store is the store that requests ask, or "".
func (k Kind) Store() string {
	for _, u := range k.Stores {
		if u.Asked {
			return u.Store
		}
	}
	return ""
}

// Factor is the arm's level of a factor, such as "HS256" of "algorithm", or "".
func (k Kind) Factor(name string) string {
	for _, f := range k.Factors {
		if n, level, _ := strings.Cut(f, "="); n == name {
			return level
		}
	}
	return ""
}

// PublicKey says whether its credentials are verified by a key that need not be
// secret. RFC 7518 calls the algorithms of a shared secret HS256, HS384 and HS512.
func (k Kind) PublicKey() bool {
	alg := k.Factor("algorithm")
	return alg != "" && !strings.HasPrefix(alg, "HS")
}

// Loses says whether a balancer makes the arm lose credentials: its state lives
// in one replica, and the balancer sends a user's requests to any.
func (k Kind) Loses(b trial.Balancer) bool { return k.State == Replica && !b.Sticks() }

// of keeps a family's arms.
func (f Family) of(names []trial.Arm) []trial.Arm {
	return slices.DeleteFunc(slices.Clone(names), func(a trial.Arm) bool { return Of(a).Family != f })
}

// Plain keeps the arms that add nothing to another. What is claimed of sessions and
// of JWT is claimed of these.
func Plain(names []trial.Arm) []trial.Arm {
	return slices.DeleteFunc(slices.Clone(names), func(a trial.Arm) bool { return Of(a).Plain != "" })
}

// Sessions and Tokens keep the arms of a family.
func Sessions(names []trial.Arm) []trial.Arm { return Session.of(names) }

// Tokens keeps the JWT arms.
func Tokens(names []trial.Arm) []trial.Arm { return Token.of(names) }
