package load

import (
	"bytes"
	"context"
	"crypto/sha3"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"authbench/bench/trial"
)

// Prepare turns a target's good credentials into those of another kind, for a
// stream that presents them, before the step in which it does:
//
//   - revoked: each is logged out through the target's own POST /logout. An arm
//     that cannot revoke says so by going on to accept them: that is measured.
//   - expired: each is offered to GET /me until it is refused, at most for
//     within; make them with a lifetime that is shorter. If one still works then,
//     the error wraps [errors.ErrUnsupported].
//   - forged: see [Forge].
//   - none: what authenticates is left out.
//
// Of revoked and expired ones the originals are dead too: give them users that
// no other stream has. An arm whose users present nothing has no credential to
// revoke, to wait for or to forge: errors.ErrUnsupported.
func Prepare(ctx context.Context, t trial.Target, p trial.Present, within time.Duration) (trial.Target, error) {
	if held := orValid(t.Present); held != trial.Valid {
		return t, fmt.Errorf("the target's credentials are %s: only valid ones can be turned into others", held)
	}
	if _, _, err := loopback(t.URL); err != nil {
		return t, err
	}
	if p = orValid(p); p == trial.Valid {
		return t, nil
	}
	if !slices.Contains(trial.Presents(), p) {
		return t, fmt.Errorf("unknown kind of credential %q: want one of %v", p, trial.Presents())
	}
	made := t
	made.Present = p
	made.Credentials = make([]trial.Credential, len(t.Credentials))
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: prepareParallel}, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // nobody is sent elsewhere
	defer client.CloseIdleConnections()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(prepareParallel)
	ends := time.Now().Add(within)
	for i, c := range t.Credentials {
		group.Go(func() (err error) {
			made.Credentials[i] = c
			switch {
			case p == trial.Nobody:
				made.Credentials[i] = strip(c)
			case c.Header == "" && len(secrets(c)) == 0:
				err = fmt.Errorf("%s presents nothing: %w", c.User, errors.ErrUnsupported)
			case p == trial.Forged:
				made.Credentials[i], err = Forge(c)
			case p == trial.Revoked:
				err = logOut(ctx, &client, t.URL, c)
			case p == trial.Expired:
				err = awaitExpiry(ctx, &client, t.URL, c, ends)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return t, fmt.Errorf("prepare %s credentials: %w", p, err)
	}
	return made, nil
}

const (
	prepareParallel = 16
	expiryPoll      = 50 * time.Millisecond
)

// logOut ends a credential by the real route.
func logOut(ctx context.Context, client *http.Client, base string, c trial.Credential) error {
	status, err := ask(ctx, client, http.MethodPost, base+"/logout", c)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("POST /logout of %s: status %d", c.User, status)
	}
	return err
}

// awaitExpiry offers a credential until it is refused.
func awaitExpiry(ctx context.Context, client *http.Client, base string, c trial.Credential, ends time.Time) error {
	for {
		status, err := ask(ctx, client, http.MethodGet, base+"/me", c)
		switch {
		case err != nil:
			return err
		case status == http.StatusUnauthorized:
			return nil
		case status/100 != 2:
			return fmt.Errorf("GET /me of %s: status %d", c.User, status)
		case time.Now().After(ends):
			return fmt.Errorf("that of %s still works: want a lifetime that ends sooner, or an arm whose credentials expire: %w",
				c.User, errors.ErrUnsupported)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(expiryPoll):
		}
	}
}

// ask sends one request with a credential and returns the answer's status.
func ask(ctx context.Context, client *http.Client, method, url string, c trial.Credential) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return 0, err
	}
	if c.Header != "" {
		req.Header.Set("Authorization", c.Header)
	}
	for name, value := range c.Cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxResponse)) // so that the connection can be used again
	return resp.StatusCode, nil
}

// secrets names the cookies that authenticate: all but the balancers'.
func secrets(c trial.Credential) (names []string) {
	for name := range c.Cookies {
		if name != trial.RouteCookie && name != trial.ClientCookie {
			names = append(names, name)
		}
	}
	return names
}

// strip leaves out what authenticates.
func strip(c trial.Credential) trial.Credential {
	c.Header = ""
	c.Cookies = maps.Clone(c.Cookies)
	for _, name := range secrets(c) {
		delete(c.Cookies, name)
	}
	return c
}

// Forge alters a user's credential so that no server made it, yet every server
// has to look at it closely: of a token one bit of its signature differs, and
// anything else, such as a session's ID, is replaced by a value of the same form.
// The same credential always gives the same forgery.
func Forge(c trial.Credential) (trial.Credential, error) {
	forged := c
	forged.Cookies = maps.Clone(c.Cookies)
	var err error
	if scheme, value, ok := strings.Cut(c.Header, " "); ok {
		if value, err = forge(value); err != nil {
			return c, fmt.Errorf("the Authorization header of %s: %w", c.User, err)
		}
		forged.Header = scheme + " " + value
	} else if c.Header != "" {
		return c, fmt.Errorf("the Authorization header of %s: want a scheme and a value", c.User)
	}
	for _, name := range secrets(c) {
		if forged.Cookies[name], err = forge(c.Cookies[name]); err != nil {
			return c, fmt.Errorf("the cookie %s of %s: %w", name, c.User, err)
		}
	}
	return forged, nil
}

var base64url = base64.RawURLEncoding.Strict()

// forge alters one value. What is changed are whole bytes behind the base64url,
// so that the result is in its one right spelling.
func forge(value string) (string, error) {
	head, last := "", value
	isToken := strings.Count(value, ".") == 2
	if isToken {
		cut := strings.LastIndexByte(value, '.') + 1
		head, last = value[:cut], value[cut:]
	}
	old, err := base64url.DecodeString(last)
	switch {
	case err != nil:
		return "", fmt.Errorf("neither a token nor an ID in base64url: %w", err)
	case len(old) < 8:
		return "", fmt.Errorf("%d bytes can be guessed: want at least 8", len(old))
	}
	altered := bytes.Clone(old)
	if isToken {
		altered[len(altered)/2] ^= 1
	} else {
		altered = sha3.SumSHAKE256(old, len(old))
	}
	if bytes.Equal(altered, old) {
		return "", errors.New("the forgery is the original")
	}
	return head + base64url.EncodeToString(altered), nil
}
