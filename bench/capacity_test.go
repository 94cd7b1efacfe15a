package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authbench/bench/solo"
	"authbench/bench/trial"
)

// shown are the ways in which a search can end: the exit status, what the line on
// standard error begins with and what a person is told first.
var shown = map[trial.End]struct {
	status    int
	why, text string
}{
	trial.Found:     {0, "", "capacity    40 to 80 requests/s, with "},
	trial.AtLeast:   {exitFailure, "the capacity was not reached: it is at least ", "capacity    at least 40 requests/s, with "},
	trial.NoRate:    {exitFailure, "no rate down to ", "capacity    no rate holds, with "},
	trial.Undecided: {exitFailure, "the capacity cannot be told from these tries: ", "undecided   40 to 80 requests/s, with "},
}

// Whatever a search ends with has its exit status, its words and its JSON.
func TestHowACapacityIsShown(t *testing.T) {
	for end, want := range shown {
		f := &solo.Found{Search: trial.Search{SLO: trial.SLO{P99Milliseconds: 30_000}},
			Capacity: trial.Capacity{End: end, Why: "it is so", Tries: []trial.Try{{Rate: 40, Outcome: trial.Held}}}}
		if end != trial.NoRate {
			f.Capacity.Holds, f.Capacity.Fails = 40, 80
		}
		var text, program bytes.Buffer
		err := (&capacityOptions{}).show(&text)(f, nil)
		if (err == nil) != (want.status == 0) || err != nil && !strings.HasPrefix(err.Error(), want.why) {
			t.Errorf("%s: %v; want %q", end, err, want.why)
		}
		if !strings.HasPrefix(text.String(), want.text) || !strings.Contains(text.String(), "\n            it is so\n") {
			t.Errorf("%s: want %q in\n%s", end, want.text, &text)
		}
		var back solo.Found
		again := (&capacityOptions{asJSON: true}).show(&program)(f, nil)
		if rerr := json.Unmarshal(program.Bytes(), &back); rerr != nil || back.Capacity.End != end || fmt.Sprint(again) != fmt.Sprint(err) {
			t.Errorf("%s as JSON: %v, %v, %s", end, rerr, again, &program)
		}

		// The error of a search that was cut off is told, and what was found is shown.
		text.Reset()
		err = (&capacityOptions{}).show(&text)(f, context.Canceled)
		if !errors.Is(err, context.Canceled) || !strings.HasPrefix(text.String(), want.text) {
			t.Errorf("%s, cut off: %v, %s", end, err, &text)
		}
	}
	var nothing bytes.Buffer
	if err := (&capacityOptions{}).show(&nothing)(nil, context.Canceled); !errors.Is(err, context.Canceled) || nothing.Len() > 0 {
		t.Errorf("nothing tried: %v, %q", err, &nothing)
	}
}

// capacityOf searches by tries whose objective no machine misses, and checks what
// must hold however the search ends.
func capacityOf(t *testing.T, args ...string) (f solo.Found, said string) {
	t.Helper()
	stdout, stderr, code := invoke(t, append([]string{"capacity", "--json", "--slo-p99", "30s", "--from", "20"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &f); err != nil {
		t.Fatalf("status %d, %v in %s\n%s", code, err, stdout, stderr)
	}
	want := shown[f.Capacity.End]
	_, because, _ := strings.Cut(stderr, "\nauthbench: ")
	if code != want.status || (because == "") != (code == 0) || !strings.HasPrefix(because, want.why) {
		t.Errorf("status %d after %s: %s", code, f.Capacity.End, stderr)
	}
	if n := strings.Count(stderr, "/s   p99 "); n != len(f.Capacity.Tries) {
		t.Errorf("%d tries were told of %d:\n%s", n, len(f.Capacity.Tries), stderr)
	}
	if !strings.Contains(stderr, "the generator's ceiling is ") {
		t.Errorf("nothing is said of the generator's ceiling:\n%s", stderr)
	}
	if f.Capacity.Holds < 20 || f.Knee == nil || f.Knee.Generator <= 0 || len(f.Knee.Busy) == 0 || f.Knee.Rate != f.Capacity.Holds {
		t.Fatalf("holds %g, knee %+v\n%s", f.Capacity.Holds, f.Knee, stderr)
	}
	return f, stderr
}

// A server that answers each request after a second, and refuses what comes while
// thirty wait: 20 or 40 requests/s for half a second are no more than that at
// once, however late they are sent, and 80 requests/s are.
func TestCapacityOfAnyServer(t *testing.T) {
	starts(t, "nginx")
	t.Parallel()
	var waiting, refused atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer waiting.Add(-1)
		if waiting.Add(1) > 30 {
			refused.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	f, said := capacityOf(t, "--target", server.URL+"/me", "--header", "Authorization: Bearer abc", "--arrivals", "even",
		"--for", "500ms", "--resolution", "100", "--repeats", "1", "--tries", "20")
	if f.Credentials != 1 || f.Knee.Tiers != nil {
		t.Errorf("%+v", f)
	}
	if f.Capacity.Holds < 40 {
		t.Errorf("holds %g/s, which keeps within what the server takes:\n%s", f.Capacity.Holds, said)
	}
	broke := 0
	for _, try := range f.Capacity.Tries {
		if try.Outcome != trial.Held {
			broke++
		}
	}
	if (broke > 0) != (refused.Load() > 0) || broke == 0 && f.Capacity.End == trial.Found {
		t.Errorf("%s: %d tries broke, of whose requests the server refused %d:\n%s", f.Capacity.End, broke, refused.Load(), said)
	}
}

func TestCapacityOfAnArm(t *testing.T) {
	t.Parallel()
	starts(t, "nginx and Redis")
	f, said := capacityOf(t, "--arm", "session/redis", "--runtime", "native", "--replicas", "2", "--users", "200",
		"--for", "300ms", "--tries", "3")
	if len(f.Capacity.Tries) != 3 || f.Capacity.End != trial.Undecided {
		t.Errorf("%s after %d tries", f.Capacity.End, len(f.Capacity.Tries))
	}
	if !strings.Contains(said, "session/redis, replicas: 2, balancer: round_robin\n") || f.Credentials != 200 || f.Sources != 16 {
		t.Errorf("%+v\n%s", f, said)
	}
	used := map[trial.Tier]float64{}
	for _, tier := range f.Knee.Tiers {
		used[tier.Tier] = tier.CPUs
	}
	if len(used) != 3 || used[trial.ReplicaTier] <= 0 || used[trial.StoreTier] <= 0 || used[trial.BalancerTier] <= 0 {
		t.Errorf("tiers %+v", f.Knee.Tiers)
	}
}
