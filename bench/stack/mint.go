package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// mintKey says for what a set of credentials was made. Two trials that agree in
// it use the same set, and the same content of the store.
type mintKey struct {
	arm             trial.Arm
	lifetime        time.Duration
	users, resident int
}

// mintedSet is a set of credentials and when the first of them was made.
type mintedSet struct {
	credentials []trial.Credential
	since       time.Time
}

func (n *Runtime) mintKey(spec trial.CellSpec) mintKey {
	return mintKey{spec.System.Arm, spec.System.Lifetime(), spec.System.Users, max(spec.System.Users, spec.System.Resident)}
}

// mintChunk bounds one request for credentials: slow algorithms take 1 ms each.
const mintChunk = 5000

// credentials fills in the stack's: made by the arm's own Issue, so that no
// measured window holds a password hash. Where a k6 script logs in there are none.
func (n *Runtime) credentials(ctx context.Context, s *Stack, spec trial.CellSpec) (err error) {
	if spec.Scripted() {
		return nil
	}
	var all []trial.Credential
	switch arm.Of(spec.System.Arm).State {
	case arm.Nowhere:
		all, err = s.anonymous(ctx, spec.System.Users)
	case arm.Replica:
		all, err = s.mintPlaced(ctx, spec)
	default:
		if all, err = n.mintShared(ctx, s); err == nil {
			all = s.route(all, spec)
		}
	}
	if err != nil {
		return err
	}
	// Drivers walk the users in order; neighbours must not share a replica.
	random := rand.New(rand.NewPCG(n.opts.Seed, 0x6d696e74))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	s.Credentials = all
	return s.tryOne(ctx)
}

// anonymous is what the control is asked with: nothing, and it answers as one
// constant user.
func (s *Stack) anonymous(ctx context.Context, users int) ([]trial.Credential, error) {
	sub, err := whoami(ctx, s.Replicas[0].URL, trial.Credential{})
	if err != nil {
		return nil, err
	}
	all := make([]trial.Credential, users)
	for i := range all {
		all[i].User = sub
	}
	return s.route(all, s.spec), nil
}

// mintShared makes credentials that every replica knows, once a run. A set that
// has used half its life is made anew.
func (n *Runtime) mintShared(ctx context.Context, s *Stack) ([]trial.Credential, error) {
	spec := s.spec
	key := n.mintKey(spec)
	n.mu.Lock()
	set, ok := n.minted[key]
	n.mu.Unlock()
	fresh := ok && time.Since(set.since) < spec.System.Lifetime()/2
	if fresh && n.holding(spec) == key {
		return set.credentials, nil
	}
	if err := n.empty(ctx, spec); err != nil {
		return nil, err
	}
	minter, err := n.startMinter(ctx, s)
	if err != nil {
		return nil, err
	}
	defer minter.component.unit.Stop(context.WithoutCancel(ctx))
	set = mintedSet{since: time.Now()}
	count := spec.System.Users
	if arm.Of(spec.System.Arm).State == arm.Shared {
		count = key.resident
	}
	if set.credentials, err = mint(ctx, minter, 0, count, spec.System.Users); err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.minted[key] = set
	n.mu.Unlock()
	n.hold(spec, key)
	return set.credentials, nil
}

// startMinter starts one more replica for the time of minting. Nothing is
// measured meanwhile, so it may use every CPU, a store may be slow to answer on
// a busy machine, and PostgreSQL need not wait for the disk at each session.
func (n *Runtime) startMinter(ctx context.Context, s *Stack) (r Replica, err error) {
	server := map[string]string{}
	maps.Copy(server, s.spec.System.Server)
	server[trial.SettingStoreTimeout] = "10s"
	l := n.launch(s, 0)
	l.spec.System.Server, l.name, l.single = server, "minter", false
	if l.postgres != "" {
		l.postgres += "&options=-csynchronous_commit%3Doff"
	}
	if l.cpus, err = n.opts.allCPUs(); err != nil {
		return r, err
	}
	started, err := n.host.replicas(ctx, []launch{l})
	if err != nil {
		return r, err
	}
	if err := checkReplica(ctx, l, started[0]); err != nil {
		started[0].component.unit.Stop(context.WithoutCancel(ctx))
		return r, err
	}
	return started[0], nil
}

// mint has a replica make credentials for count users from first on, and
// returns those of the first keep of them.
func mint(ctx context.Context, r Replica, first, count, keep int) ([]trial.Credential, error) {
	all := make([]trial.Credential, 0, keep)
	for done := 0; done < count; {
		n := min(mintChunk, count-done)
		got, err := mintChunkOf(ctx, r, first+done, n)
		if err != nil {
			return nil, fmt.Errorf("mint credentials at %s: %w", r.Name, err)
		}
		all = append(all, got[:min(n, max(0, keep-done))]...)
		done += n
	}
	return all, nil
}

func mintChunkOf(ctx context.Context, r Replica, first, n int) ([]trial.Credential, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	body, err := json.Marshal(map[string]int{"users": n, "first": first})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.PrivateURL+"/mint", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return nil, fmt.Errorf("%s: %s", resp.Status, b)
	}
	all, err := trial.ReadCredentials(resp.Body)
	if err != nil {
		return nil, err
	}
	if len(all) != n {
		return nil, fmt.Errorf("%d credentials came, %d were asked for", len(all), n)
	}
	return all, nil
}

// tryOne uses one credential as the driver will, through the balancer. A memory
// store behind a balancer that does not stick is left alone: losing is what is
// measured there.
func (s *Stack) tryOne(ctx context.Context) error {
	lossy := arm.Of(s.spec.System.Arm).State == arm.Replica && s.spec.System.Balancer != trial.Sticky &&
		s.spec.System.Balancer != trial.CookieHash
	if lossy && len(s.Replicas) > 1 || len(s.Credentials) == 0 {
		return nil
	}
	c := s.Credentials[0]
	sub, err := whoami(ctx, s.URL, c)
	if err != nil {
		return fmt.Errorf("a minted credential does not work: %w", err)
	}
	if sub != c.User {
		return fmt.Errorf("a minted credential of %s is answered as %s", c.User, sub)
	}
	return nil
}

// whoami asks /me.
func whoami(ctx context.Context, base string, c trial.Credential) (string, error) {
	resp, err := get(ctx, base+"/me", func(r *http.Request) {
		if c.Header != "" {
			r.Header.Set("Authorization", c.Header)
		}
		for name, value := range c.Cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	})
	if err != nil {
		return "", err
	}
	var me struct{ Sub string }
	if err := json.NewDecoder(resp.Body).Decode(&me); err != nil {
		return "", fmt.Errorf("%s/me: %w", base, err)
	}
	return me.Sub, nil
}
