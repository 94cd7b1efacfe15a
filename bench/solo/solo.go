// Package solo is the open-loop driver for anyone's use: one load on one
// URL, as wrk2 and vegeta are used. In come [Settings]; out comes a [Result], to
// be shown to a person or written as JSON. All requests are package load's; here
// are the words around them.
package solo

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"authbench/bench/load"
	"authbench/bench/trial"
)

// Settings say what to load and how. Exactly one of Rate and Closed is set.
type Settings struct {
	URL      string         // such as http://127.0.0.1:8080/me; on this machine
	Rate     float64        // open loop: requests per second
	Arrivals trial.Arrivals // open loop; empty is even
	Closed   int            // closed loop: requests in flight

	Connections int
	Sources     int           // distinct /24 networks of 127/8 that requests come from; 0 leaves it to the system
	For         time.Duration // measured
	WarmUp      time.Duration // the same load before, which is not measured; 0 is none

	// Credentials are used in turn, in a shuffled order. None sends requests without
	// any; one serves for all sources. Where they name their users every answer must
	// too: see [trial.Target].
	Credentials []trial.Credential
}

// String is what is loaded, in a few words.
func (s Settings) String() string {
	return fmt.Sprintf("%s, %d connections, %s", s.URL, s.Connections, who(len(s.Credentials)))
}

// example is what an error shows a good URL by.
const example = "http://127.0.0.1:8080/me"

// Load is a load that is ready to start.
type Load struct {
	settings Settings
	driver   *load.Driver
}

// New checks the settings and prepares the load; no connection is opened yet. An
// error says which setting is wrong and what is allowed.
func New(s Settings) (*Load, error) {
	base, path, err := split(s.URL)
	if err != nil {
		return nil, err
	}
	switch {
	case s.Rate != 0 && s.Closed != 0:
		return nil, errors.New("rate and closed exclude each other: an open loop has a rate, a closed one a number of requests in flight")
	case s.Closed == 0 && !(s.Rate > 0 && s.Rate <= maxRate):
		return nil, fmt.Errorf("rate is %g requests per second: want more than 0 and at most a million, or closed instead", s.Rate)
	case s.Closed < 0 || s.Closed > s.Connections && s.Connections > 0:
		return nil, fmt.Errorf("closed is %d requests in flight: want 1 to %d, the number of connections", s.Closed, s.Connections)
	case s.Sources < 0 || s.Sources > maxSources:
		return nil, fmt.Errorf("sources is %d: want 0 to %d", s.Sources, maxSources)
	case s.For < time.Millisecond || s.For > maxTime:
		return nil, fmt.Errorf("the time to measure for is %v: want a millisecond to %v", s.For, maxTime)
	case s.WarmUp < 0 || s.WarmUp > maxTime:
		return nil, fmt.Errorf("warm-up is %v: want 0s to %v", s.WarmUp, maxTime)
	case !slices.Contains([]trial.Arrivals{"", trial.Even, trial.Poisson}, s.Arrivals):
		return nil, fmt.Errorf("unknown arrivals %q: want %s or %s", s.Arrivals, trial.Even, trial.Poisson)
	}
	users, check, err := s.users()
	if err != nil {
		return nil, err
	}
	d, err := load.NewDriver(trial.Target{URL: base, Path: path, Credentials: users, CheckUser: check},
		load.Load{Connections: s.Connections, Sources: s.Sources}, seed)
	if err != nil {
		return nil, err
	}
	return &Load{s, d}, nil
}

const (
	maxRate    = 1e6 // this and the next two are the driver's own
	maxTime    = 24 * time.Hour
	maxSources = 254
	seed       = 1 // of the order of credentials and of Poisson arrivals: the same command sends the same load
)

// Close ends all connections.
func (l *Load) Close() error { return l.driver.Close() }

// phase is the load for a time.
func (s Settings) phase(name string, d time.Duration) load.Phase {
	if s.Closed > 0 {
		return load.Phase{Name: name, Mode: trial.Closed, Concurrency: s.Closed, Seconds: d.Seconds()}
	}
	return load.Phase{Name: name, Mode: trial.Open, Rate: s.Rate, Arrivals: s.Arrivals, Seconds: d.Seconds()}
}

// split parts a URL into what to connect to and what to ask for.
func split(text string) (base, path string, err error) {
	u, err := url.Parse(text)
	what := ""
	switch {
	case text == "":
		return "", "", fmt.Errorf("there is no url: want one such as %s", example)
	case err != nil:
		what = "cannot be read"
	case u.User != nil:
		return "", "", fmt.Errorf("url %s names a user, which is not sent: give a header or a file of credentials", u.Redacted())
	case u.Scheme == "https":
		what = "asks for TLS, which the driver does not speak"
	case u.Scheme != "http":
		what = fmt.Sprintf("has the scheme %q", u.Scheme)
	case u.Port() == "":
		what = "has no port"
	case u.Path == "":
		what = "has no path"
	case u.Fragment != "":
		what = "has a fragment, which is never sent"
	default:
		return "http://" + u.Host, u.RequestURI(), nil
	}
	return "", "", fmt.Errorf("url %q %s: want one such as %s", text, what, example)
}
