package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"

	"authbench/bench/trial"
)

// crowd is all users of a load, in the shuffled order in which they are walked.
// User i belongs to source i modulo the number of sources: a user's requests
// always come from the same network.
type crowd struct {
	users   []user
	sources int
	next    int   // in the walk of open legs
	nexts   []int // in the walk of each source, in closed legs
	zipf    *rand.Zipf
	step    uint32 // number of the current step, to count who is used in it
}

// user is one credential, with its request ready to be sent.
type user struct {
	name      string
	request   []byte
	fixed     int // length of the request's head without route cookie and end
	body      []byte
	hasCookie bool
	route     []byte // value of the route cookie that was learnt; empty for none
	step      uint32 // the last step that used it
}

func newCrowd(credentials []trial.Credential, r trial.Request, host string, sources int, zipf float64, rng *rand.Rand) (*crowd, error) {
	c := &crowd{users: make([]user, len(credentials)), sources: sources, nexts: make([]int, sources)}
	for i, at := range rng.Perm(len(c.users)) {
		u, err := newUser(credentials[i], r, host)
		if err != nil {
			return nil, err
		}
		c.users[at] = u
	}
	for s := range c.nexts {
		c.nexts[s] = s
	}
	if zipf != 0 {
		c.zipf = rand.NewZipf(rng, zipf, 1, uint64(len(c.users)-1))
	}
	return c, nil
}

func newUser(cred trial.Credential, r trial.Request, host string) (user, error) {
	method, path, body, err := write(r, cred)
	if err != nil {
		return user{}, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, host)
	if !printable(cred.Header) {
		return user{}, fmt.Errorf("the Authorization header of %s holds a control character", cred.User)
	}
	if cred.Header != "" {
		fmt.Fprintf(&b, "Authorization: %s\r\n", cred.Header)
	}
	if body != "" {
		b.WriteString("Content-Type: application/json\r\n")
	}
	if method != "GET" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	u := user{name: cred.User, route: []byte(cred.Cookies[trial.RouteCookie]), body: []byte(body)}
	for _, name := range slices.Sorted(maps.Keys(cred.Cookies)) {
		value := cred.Cookies[name]
		if !printable(name+value) || strings.ContainsAny(name+value, "; ") {
			return user{}, fmt.Errorf("the cookie %q of %s cannot be sent as it is", name, cred.User)
		}
		if name == trial.RouteCookie {
			continue
		}
		u.startCookie(&b)
		b.WriteString(name + "=" + value)
	}
	u.fixed = b.Len()
	u.request = make([]byte, u.fixed, u.fixed+len(body)+48) // room for a route cookie
	copy(u.request, b.String())
	u.finish()
	return u, nil
}

// write fills in what a request holds of a user.
func write(r trial.Request, cred trial.Credential) (method, path, body string, err error) {
	method, path = r.Split()
	if !strings.Contains(path, "{") && r.Body == "" {
		return method, path, "", nil
	}
	var inPath, inBody []string
	for _, part := range [][2]string{{"{name}", cred.User}, {"{password}", cred.Password}, {"{handle}", cred.Handle}} {
		placeholder, value := part[0], part[1]
		if value == "" && (strings.Contains(path, placeholder) || strings.Contains(r.Body, placeholder)) {
			return "", "", "", fmt.Errorf("%s needs the %s of every user: the credential of %q holds none",
				r.Name, strings.Trim(placeholder, "{}"), cred.User)
		}
		inPath, inBody = append(inPath, placeholder, url.PathEscape(value)), append(inBody, placeholder, quoted(value))
	}
	// In one pass each: a user's name may look like a placeholder.
	return method, strings.NewReplacer(inPath...).Replace(path), strings.NewReplacer(inBody...).Replace(r.Body), nil
}

// quoted is text as a JSON string.
func quoted(text string) string {
	b, _ := json.Marshal(text) // a string never fails
	return string(b)
}

func (u *user) startCookie(b *strings.Builder) {
	if u.hasCookie {
		b.WriteString("; ")
		return
	}
	u.hasCookie = true
	b.WriteString("Cookie: ")
}

// finish writes the end of the request: the route cookie, if there is one, the
// end of the head, the body.
func (u *user) finish() {
	b := u.request[:u.fixed]
	if len(u.route) > 0 {
		lead := "Cookie: "
		if u.hasCookie {
			lead = "; "
		}
		b = append(append(append(append(b, lead...), trial.RouteCookie...), '='), u.route...)
	}
	if u.hasCookie || len(u.route) > 0 {
		b = append(b, "\r\n"...)
	}
	u.request = append(append(b, "\r\n"...), u.body...)
}

// learn takes a route cookie from an answer. Mostly it is the known one.
func (u *user) learn(route []byte) {
	if bytes.Equal(route, u.route) {
		return
	}
	u.route = append(u.route[:0], route...)
	u.finish()
}

// pick chooses the user of an open leg's next request.
func (c *crowd) pick() int32 {
	if c.zipf != nil {
		return int32(c.zipf.Uint64())
	}
	i := c.next
	if c.next++; c.next == len(c.users) {
		c.next = 0
	}
	return int32(i)
}

// pickOf chooses the next user of one source.
func (c *crowd) pickOf(source int) int32 {
	if c.zipf != nil {
		i := int(c.zipf.Uint64())
		i += source - i%c.sources // the source's user of about the same rank
		if i >= len(c.users) {
			i -= c.sources
		}
		return int32(i)
	}
	i := c.nexts[source]
	if c.nexts[source] += c.sources; c.nexts[source] >= len(c.users) {
		c.nexts[source] = source
	}
	return int32(i)
}

// use marks a user as used and returns whether that is its first time in this
// step.
func (c *crowd) use(i int32) (first bool) {
	u := &c.users[i]
	first = u.step != c.step
	u.step = c.step
	return first
}
