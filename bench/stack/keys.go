package stack

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"authbench/bench/arm"
	"authbench/bench/process"
	"authbench/bench/trial"
)

// keysSettle is how long everybody who verifies gets to read the keys again: the
// servers' own interval, a second, and as much for a busy machine.
const keysSettle = 2 * time.Second

// RotateKeys has a new key sign, as an operator does with running replicas, and
// returns when all replicas sign by it. The new key is known everywhere before it
// signs, and the old one verifies for as long as any of its tokens lives.
func (s *Stack) RotateKeys(ctx context.Context) error {
	kid, err := s.changeKeys(ctx, "rotate", "-settle", keysSettle.String(), "-life", s.lifetime().String())
	if err != nil {
		return err
	}
	return s.signBy(ctx, func(is string) bool { return is == kid })
}

// RemoveKey ends the key that signs, at once and for good, and returns when all
// replicas refuse its tokens and sign by another one.
func (s *Stack) RemoveKey(ctx context.Context) error {
	r, err := s.replica(s.Names()[0])
	if err != nil {
		return err
	}
	before, kid, err := s.signed(ctx, r)
	if err != nil {
		return err
	}
	if _, err := s.changeKeys(ctx, "remove", "-kid", kid); err != nil {
		return err
	}
	for _, name := range s.Names() {
		if err := comes(ctx, func() error {
			if ok, err := s.Accepts(ctx, name, before); ok || err != nil {
				return fmt.Errorf("%s still accepts a token by the key that was removed (%v)", name, err)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return s.signBy(ctx, func(is string) bool { return is != kid })
}

// lifetime is how long a token of the arm lives.
func (s *Stack) lifetime() time.Duration {
	if d := s.spec.System.Lifetime(); d > 0 {
		return d
	}
	return time.Hour // the server's own
}

// changeKeys runs the servers' own command on the keys of the arm, and returns
// what it prints. What was minted by the old keys is not minted for the next trial.
func (s *Stack) changeKeys(ctx context.Context, action string, flags ...string) (string, error) {
	alg := arm.Of(s.spec.System.Arm).Factor("algorithm")
	if alg == "" {
		return "", fmt.Errorf("%s has no signing keys", s.spec.System.Arm)
	}
	s.runtime.forgetMinted(alg)
	out, err := s.runtime.host.keys(ctx, s, append([]string{"keys", action, "-alg", alg}, flags...))
	if err != nil {
		return "", fmt.Errorf("%s the keys: %w", action, err)
	}
	return strings.TrimSpace(out), nil
}

// forgetMinted forgets the credentials that were made by keys of an algorithm.
func (n *Runtime) forgetMinted(alg string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.minted, func(k mintKey, _ mintedSet) bool { return arm.Of(k.arm).Factor("algorithm") == alg })
}

// signBy waits until every replica signs by a key that will do.
func (s *Stack) signBy(ctx context.Context, will func(kid string) bool) error {
	for _, name := range s.Names() {
		r, err := s.replica(name)
		if err != nil {
			return err
		}
		if err := comes(ctx, func() error {
			_, kid, err := s.signed(ctx, r)
			if err == nil && !will(kid) {
				err = fmt.Errorf("%s still signs by %s", name, kid)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// signed is a token that a replica makes now, and the name of the key by which.
func (s *Stack) signed(ctx context.Context, r Replica) (c trial.Credential, kid string, err error) {
	made, err := mintChunkOf(ctx, r, 0, 1)
	if err != nil {
		return c, "", err
	}
	token := strings.TrimPrefix(made[0].Header, "Bearer ")
	for _, cookie := range made[0].Cookies {
		if token == "" {
			token = cookie
		}
	}
	head, _, _ := strings.Cut(token, ".")
	var said struct{ Kid string }
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	if err != nil {
		return c, "", fmt.Errorf("read the head of a token of %s: %w", r.Name, err)
	}
	return made[0], said.Kid, nil
}

// keys implements host.
func (n *native) keys(ctx context.Context, _ *Stack, args []string) (string, error) {
	var out bytes.Buffer
	err := n.ledger.Run(ctx, process.Command{Name: "keys", Path: n.programs.server, Args: append(args, "-keys", n.keysDir),
		CPUs: n.opts.SystemCPUs, Stdout: &out})
	return out.String(), err
}

// keys implements host: the folder is the replicas', so one of them is asked.
func (c *compose) keys(ctx context.Context, s *Stack, args []string) (string, error) {
	name := c.project + "-" + string(s.place) + s.Replicas[0].Name
	out, err := docker(ctx, append(append([]string{"container", "exec", name, "/server"}, args...), "-keys", "/keys")...)
	return string(out), err
}
