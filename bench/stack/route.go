package stack

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"golang.org/x/sync/errgroup"

	"authbench/bench/trial"
)

// mintPlaced makes sessions that one replica alone knows, each at the replica
// that the balancer will send its user to, if that can be arranged.
func (s *Stack) mintPlaced(ctx context.Context, spec trial.CellSpec) ([]trial.Credential, error) {
	counts, cookies := s.shares(spec), make([][]string, len(s.Replicas))
	if spec.System.Balancer == trial.CookieHash {
		var err error
		if cookies, err = s.learnHash(ctx, spec.System.Users); err != nil {
			return nil, err
		}
		for i := range counts {
			counts[i] = len(cookies[i])
		}
	}
	var all []trial.Credential
	first := 0
	for i, r := range s.Replicas {
		got, err := mint(ctx, r, first, counts[i], counts[i])
		if err != nil {
			return nil, err
		}
		for j := range got {
			switch spec.System.Balancer {
			case trial.Sticky:
				got[j] = withCookie(got[j], trial.RouteCookie, r.Name)
			case trial.CookieHash:
				got[j] = withCookie(got[j], trial.ClientCookie, cookies[i][j])
			}
		}
		all = append(all, got...)
		first += counts[i]
	}
	return all, nil
}

// shares divides the users among the replicas.
func (s *Stack) shares(spec trial.CellSpec) []int {
	counts := make([]int, len(s.Replicas))
	for i := range spec.System.Users {
		counts[i%len(counts)]++
	}
	return counts
}

// learnHash asks nginx which replica each user's client cookie leads to.
func (s *Stack) learnHash(ctx context.Context, users int) ([][]string, error) {
	replicas := make([]int, users)
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(2) // as many connections as the client keeps open
	for i := range users {
		work.Go(func() error {
			resp, err := get(ctx, s.routeURL, func(r *http.Request) {
				r.Close = false // there are thousands, and nginx waits for nobody when it ends
				r.AddCookie(&http.Cookie{Name: trial.ClientCookie, Value: clientCookie(i)})
			})
			if err != nil {
				return fmt.Errorf("learn where a client cookie leads: %w", err)
			}
			for j, r := range s.Replicas {
				if r.Name == resp.Header.Get("X-Answered") {
					replicas[i] = j
					return nil
				}
			}
			return fmt.Errorf("learn where a client cookie leads: nginx names replica %q", resp.Header.Get("X-Answered"))
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	cookies := make([][]string, len(s.Replicas))
	for i, j := range replicas {
		cookies[j] = append(cookies[j], clientCookie(i))
	}
	return cookies, nil
}

func clientCookie(i int) string { return "client-" + strconv.Itoa(1_000_000+i) }

// route gives credentials that any replica knows the cookies that the balancer
// looks at, so that all arms send equally many bytes.
func (s *Stack) route(all []trial.Credential, spec trial.CellSpec) []trial.Credential {
	routed := make([]trial.Credential, len(all))
	for i, c := range all {
		switch spec.System.Balancer {
		case trial.Sticky:
			c = withCookie(c, trial.RouteCookie, s.Replicas[i%len(s.Replicas)].Name)
		case trial.CookieHash:
			c = withCookie(c, trial.ClientCookie, clientCookie(i))
		}
		routed[i] = c
	}
	return routed
}

// withCookie leaves the original, which may be kept for later trials, alone.
func withCookie(c trial.Credential, name, value string) trial.Credential {
	cookies := map[string]string{name: value}
	maps.Copy(cookies, c.Cookies)
	c.Cookies = cookies
	return c
}
