package analysis

import (
	"fmt"
	"slices"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// journeyMetrics are what k6 scripts counted and sampled.
func journeyMetrics() []Metric {
	return []Metric{
		counted(Metric{Name: "lost_session_share", Title: "Share of a valid user's requests answered 401", Unit: "share", Better: trial.Less,
			Aspect: trial.Counts, clusters: byUser}, scripted("lost_sessions", "authenticated_requests", "authenticated requests")),
		counted(Metric{Name: "let_in_user_share", Title: "Share of users let in after their log-out", Unit: "share", Better: trial.Less,
			Aspect: trial.Counts}, // on any replica, in a request that began after the answer to their log-out
			scripted("users_let_in", "users_logged_out", "users who logged out")),
		counted(Metric{Name: "outlived_change_share", Title: "Share of users whose credential outlived a change", Unit: "share",
			Better: trial.Less, Aspect: trial.Counts}, scripted("users_let_in", "users_changed", "users whose change was answered")),
		{Name: "revocation_lag_max_seconds", Title: "Revocation lag, longest", Unit: "s", Better: trial.Less, Aspect: trial.WallClock,
			value: ofLags(slices.Max[[]float64]), resolution: poll, censored: anyAlive},
		{Name: "revocation_lag_median_seconds", Title: "Revocation lag, median", Unit: "s", Better: trial.Less, Aspect: trial.WallClock,
			value: ofLags(median), resolution: poll, censored: halfAlive},
		{Name: "revocation_lag_share", Title: "Revocation lag as a share of the life left at log-out", Unit: "share", Better: trial.Less,
			Aspect: trial.WallClock, value: lagShare, resolution: poll, censored: halfAlive},
		{Name: "life_left_seconds", Title: "Life left to a credential at log-out, longest",
			Unit: "s", Better: trial.Less, Aspect: trial.WallClock, derived: true, value: lifeLeft},
		{Name: "expected_lost_share", Title: "Share of requests lost if one of N replicas holds the session", Unit: "share", Better: trial.Less,
			Aspect: trial.Counts, derived: true, value: expectedLoss},
	}
}

// poll is how often a script asks whether a credential still works, in seconds: no
// lag is known more finely. As a share of a life, which lasts a second at least,
// it is no coarser.
const poll = 0.010

func (b Block) journey(s trial.Selector) (*trial.Journey, error) {
	m, err := b.measurement(s)
	if err != nil {
		return nil, err
	}
	if m.Journey == nil {
		return nil, fmt.Errorf("%s: no k6 script reported", cellName(s))
	}
	return m.Journey, nil
}

// scripted counts by two counters of a script: events of which the script must
// have kept count, and their chances.
func scripted(events, chances, what string) func(Block, trial.Selector) (float64, float64, error) {
	return func(b Block, s trial.Selector) (float64, float64, error) {
		j, err := b.journey(s)
		if err != nil {
			return 0, 0, err
		}
		n, ok := j.Counters[events]
		if !ok {
			return 0, 0, fmt.Errorf("%s: the script did not count %s", cellName(s), events)
		}
		return chancesOf(s, n, j.Counters[chances], what)
	}
}

// byUser says how the requests that lose sessions hang together: those of one user
// have one session. A script that did not say how many each user lost is taken
// for one whose users lost all or nothing, for nothing else is known.
func byUser(b Block, s trial.Selector) (users, squares float64) {
	j, err := b.journey(s)
	if err != nil {
		return 0, 0
	}
	if n, ok := j.Counters["users_asked"]; ok {
		return n, j.Counters["lost_by_user_squared"]
	}
	at, err := b.Find(s)
	if err != nil {
		return 0, 0
	}
	users = float64(at.Spec().System.Users)
	return users, j.Counters["lost_sessions"] * j.Counters["authenticated_requests"] / users
}

// alive is how many users were still let in when their script stopped watching,
// of all: their lags, the longest, are lower bounds.
func alive(b Block, s trial.Selector) (users, of int) {
	j, err := b.journey(s)
	if err != nil {
		return 0, 0
	}
	return int(j.Counters["still_alive_users"]), len(j.Samples["revocation_lag_seconds"])
}

func anyAlive(b Block, s trial.Selector) bool { n, _ := alive(b, s); return n > 0 }

// halfAlive says whether the median is a lower bound: it lies among users who were
// still let in.
func halfAlive(b Block, s trial.Selector) bool { n, of := alive(b, s); return n > 0 && 2*n >= of }

// samples returns what a script reported under a name, at least one value.
func samples(b Block, s trial.Selector, name string) ([]float64, error) {
	j, err := b.journey(s)
	if err != nil {
		return nil, err
	}
	if len(j.Samples[name]) == 0 {
		return nil, fmt.Errorf("%s: the script sampled no %s", cellName(s), name)
	}
	return j.Samples[name], nil
}

func ofLags(f func([]float64) float64) func(Block, trial.Selector) (float64, error) {
	return func(b Block, s trial.Selector) (float64, error) {
		lags, err := samples(b, s, "revocation_lag_seconds")
		if err != nil {
			return 0, err
		}
		return f(lags), nil
	}
}

// lagShare is the median over users of the lag by the life that the user's
// credential had left at log-out.
func lagShare(b Block, s trial.Selector) (float64, error) {
	lags, err := samples(b, s, "revocation_lag_seconds")
	if err != nil {
		return 0, err
	}
	left, err := samples(b, s, "remaining_life_seconds")
	if err != nil {
		return 0, err
	}
	if len(lags) != len(left) {
		return 0, fmt.Errorf("%s: %d lags but %d remaining lives", cellName(s), len(lags), len(left))
	}
	shares := make([]float64, len(lags))
	for i := range lags {
		if left[i] <= 0 {
			return 0, fmt.Errorf("%s: the life left at log-out is unknown or nothing", cellName(s))
		}
		shares[i] = lags[i] / left[i]
	}
	return median(shares), nil
}

// lifeLeft is what a credential that ends by itself had left at log-out.
func lifeLeft(b Block, s trial.Selector) (float64, error) {
	if ends := arm.Of(s.Cell.Arm()).Ends; ends != arm.AtExpiry {
		return 0, fmt.Errorf("%s: the credential ends %s", cellName(s), ends)
	}
	left, err := samples(b, s, "remaining_life_seconds")
	if err != nil {
		return 0, err
	}
	return slices.Max(left), nil
}

// expectedLoss is 1 - 1/N: the share of replicas that do not hold the session.
func expectedLoss(b Block, s trial.Selector) (float64, error) {
	at, err := b.Find(s)
	if err != nil {
		return 0, err
	}
	system := at.Spec().System
	if !arm.Of(system.Arm).Loses(system.Balancer) {
		return 0, fmt.Errorf("%s: nothing says that sessions are lost", cellName(s))
	}
	return 1 - 1/float64(system.Replicas), nil
}

func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
