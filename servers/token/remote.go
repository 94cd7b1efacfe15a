package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"authbench/servers/auth"
)

// Source is where somebody else's keys are read from, and how often.
type Source struct {
	// Location is the URL of a JWKS, or the name of a file that holds one. It is
	// the only place that anything is fetched from: neither a token nor a
	// redirection leads elsewhere.
	Location string
	Refresh  time.Duration // between readings: a removed key verifies for that long
	Stale    time.Duration // for how long the last keys are used while none can be read
	Timeout  time.Duration // of one reading
}

// IsURL tells a URL from the name of a file.
func (s Source) IsURL() bool { return strings.Contains(s.Location, "://") }

// minGap is the least time between two readings, whatever tokens name: strangers
// can make up names of keys faster than any issuer answers.
const minGap = 5 * time.Second

// maxJWKS is more than the largest JWKS takes.
const maxJWKS = 256 << 10

// Remote verifies tokens of another issuer by keys that it reads from a [Source],
// and issues none. What needs no key to be judged is refused at once; a token
// whose key is not known is refused only if the keys could be read: else it may
// be a good one, and the error is no refusal.
type Remote struct {
	verifier *Authenticator
	source   Source
	client   *http.Client
	good     atomic.Int64 // Unix nanoseconds of the last reading that succeeded; 0: none

	mu    sync.Mutex // held while reading
	tried time.Time
	err   error // of the last reading
	// skipped are the keys that the last good reading could not use.
	skipped []error
}

var _ auth.Authenticator = (*Remote)(nil)

// NewRemote reads the keys for the first time. A file must be there and good; an
// issuer that does not answer may do so later, and until then nobody can be told
// from a stranger.
func NewRemote(s Source, cfg Config) (*Remote, error) {
	verifier, err := New(&KeySet{}, cfg)
	if err != nil {
		return nil, err
	}
	r := &Remote{verifier: verifier, source: s, client: &http.Client{
		Timeout:       s.Timeout,
		Transport:     &http.Transport{DisableKeepAlives: true}, // no proxy, which the environment could name
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if err := r.read(); err != nil && !s.IsURL() {
		return nil, err
	}
	return r, nil
}

// Follow reads the keys every Refresh, and sooner after a failure, until ctx
// ends. report is told of a failure, and of each key that is not used (a
// [*SkippedKey]), once as long as it stays the same.
func (r *Remote) Follow(ctx context.Context, report func(error)) {
	var said []string
	for ; ; r.read() {
		var texts []string
		for _, err := range r.faults() {
			texts = append(texts, err.Error())
			if !slices.Contains(said, err.Error()) {
				report(err)
			}
		}
		said = texts
		wait := r.source.Refresh
		if r.lastError() != nil {
			wait = r.gap()
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// Ready says whether there are keys to verify by. It reads none.
func (r *Remote) Ready(context.Context) error {
	if r.fresh() {
		return nil
	}
	return errors.Join(errStale, r.lastError())
}

// errStale is no refusal: whether the token is good cannot be known.
var errStale = errors.New("token: the issuer's keys could not be read for too long")

// Authenticate verifies c as [Authenticator.Authenticate] does. It reads the keys
// only if it cannot tell without, and not if that was tried a moment ago.
func (r *Remote) Authenticate(ctx context.Context, c auth.Credential) (auth.Principal, error) {
	p, err := r.verifier.Authenticate(ctx, c)
	if err == nil && r.fresh() || err != nil && !errors.Is(err, errKey) {
		return p, err
	}
	if err := r.read(); err != nil {
		return auth.Principal{}, err
	}
	return r.verifier.Authenticate(ctx, c)
}

// Issue cannot: the keys are another's.
func (r *Remote) Issue(ctx context.Context, p auth.Principal) (auth.Credential, time.Time, error) {
	return r.verifier.Issue(ctx, p)
}

// Revoke cannot end a token that is good, as [Authenticator.Revoke] says.
func (r *Remote) Revoke(ctx context.Context, c auth.Credential) error {
	if _, err := r.Authenticate(ctx, c); err != nil && !errors.Is(err, auth.ErrUnauthenticated) {
		return err
	}
	return r.verifier.Revoke(ctx, c)
}

func (r *Remote) fresh() bool {
	good := r.good.Load()
	return good != 0 && r.verifier.cfg.Now().Sub(time.Unix(0, good)) < r.source.Stale
}

func (r *Remote) lastError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// faults are what keeps keys from being used: those skipped, and the last error.
func (r *Remote) faults() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return append(slices.Clone(r.skipped), r.err)
	}
	return r.skipped
}

func (r *Remote) gap() time.Duration { return min(r.source.Refresh, minGap) }

// read goes over to the keys that the source holds, unless it was read less than
// a gap ago: then what came of that still counts. Who calls meanwhile waits for
// the reading that is under way, and no longer than its timeout.
func (r *Remote) read() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.verifier.cfg.Now()
	if !r.tried.IsZero() && now.Sub(r.tried) < r.gap() {
		return r.err
	}
	text, err := r.fetch()
	var ks *KeySet
	var skipped []error
	if err == nil {
		ks, skipped, err = ParseJWKS(text)
	}
	r.tried, r.err = r.verifier.cfg.Now(), err
	if err != nil {
		r.err = fmt.Errorf("token: keys of another issuer: %w", err)
		return r.err
	}
	r.skipped = skipped
	r.verifier.keys.Store(ks)
	r.good.Store(now.UnixNano())
	return nil
}

// fetch is bounded by the source's timeout and not by a request's end: others
// wait for the same.
func (r *Remote) fetch() ([]byte, error) {
	if !r.source.IsURL() {
		return os.ReadFile(r.source.Location)
	}
	res, err := r.client.Get(r.source.Location)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers with status %d", r.source.Location, res.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxJWKS+1))
	if err == nil && len(text) > maxJWKS {
		err = fmt.Errorf("%s is larger than %d bytes", r.source.Location, maxJWKS)
	}
	return text, err
}
