package plan

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"authbench/bench/arm"
	"authbench/bench/model"
	"authbench/bench/trial"
)

const us = 1e-6

// paper is a basis made by hand: four starts an arm, which differ a little.
func paper() Basis {
	b := Basis{Run: trial.Run{Name: "paper", Seed: 7}, Session: map[string]Constant{}, draws: 200, requests: 10_000}
	exact := func(v float64) trial.Interval { return trial.Interval{Estimate: v, Low: v, High: v, N: 6} }
	b.Login = Constant{Interval: trial.Interval{Estimate: 0.05, Low: 0.04, High: 0.06, N: 6}}
	b.Session["redis"], b.Session["memory"] = Constant{Interval: exact(400)}, Constant{Interval: exact(200)}
	b.Session["postgres"] = Constant{Interval: exact(300)}
	for _, x := range []struct {
		arm            trial.Arm
		replica, store float64
	}{{"none", 50, 0}, {"session/memory", 55, 0}, {"session/redis", 100, 25}, {"session/postgres", 100, 60},
		{"jwt/HS256", 60, 0}, {"jwt/ES256", 150, 0}} {
		m := Measured{Arm: x.arm, Rate: 2000, Sessions: 100_000, Pool: 16,
			RequestBytes: exact(100), ResponseBytes: exact(200), StoreBytes: exact(120)}
		for block := 1; block <= 4; block++ {
			f := 1 + 0.02*(float64(block)-2.5)
			m.Starts = append(m.Starts, model.Start{Block: block,
				Demand: model.Demand{Balancer: 30 * us * f, Replica: x.replica * us * f, Store: x.store * us * f}})
			m.Trials = append(m.Trials, string(x.arm)+"-"+string(rune('0'+block)))
		}
		b.Arms = append(b.Arms, m)
	}
	return b
}

func target(rate float64, change ...func(*Target)) Target {
	t := Default()
	t.Rate, t.Users = rate, 1_000_000
	for _, c := range change {
		c(&t)
	}
	return t
}

func planOf(t *testing.T, target Target) map[trial.Arm]Sized {
	t.Helper()
	if err := target.Check(); err != nil {
		t.Fatal(err)
	}
	drawn, err := paper().draw()
	if err != nil {
		t.Fatal(err)
	}
	byArm := map[trial.Arm]Sized{}
	for _, s := range paper().sizes(target, drawn) {
		byArm[s.Arm] = s
	}
	return byArm
}

// TestWorkedExample holds a plan to a calculation by hand: 20,000/s, 1,000,000 sessions of a day, 8 cores, 30 % free.
func TestWorkedExample(t *testing.T) {
	p := planOf(t, target(20_000, func(t *Target) { t.PriceNode, t.PriceStore = 0.7, 0.1 }))
	redis := p["session/redis"]
	logins := 1e6 / 86400.0
	want := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9*math.Abs(want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	want("replicas", redis.Replicas.Estimate, math.Ceil((20_000*100*us+logins*0.05)/0.7)) // 2 + 0.58 cores
	want("replicas", redis.Replicas.Estimate, 4)
	want("nodes", redis.Nodes.Estimate, 1)
	want("nginx nodes", redis.BalancerNodes.Estimate, 1)
	want("Redis", redis.Stores.Estimate, 1) // 0.5 cores
	want("memory", redis.StoreBytes.Estimate, 400e6)
	want("connections open", redis.ConnectionsOpen, 4*16)
	want("connections in use", redis.ConnectionsInUse, 20_000*(500*us+25*us/0.5))
	want("client traffic", redis.ClientBits, 20_000*300*8)
	want("store traffic", redis.StoreBits, 20_000*120*8)
	want("K", redis.ReplicasPerStore.Estimate, 4)
	want("core-hours", redis.CoreHours.Estimate, (4+1+1)/(20_000*3600.0)*1e6)
	want("cost", redis.Cost.Estimate, (2*0.7+0.1)/(20_000*3600.0)*1e6)
	want("PostgreSQL's K", p["session/postgres"].ReplicasPerStore.Estimate, 32*100/60.0)
	want("the control's replicas, without log-ins", p["none"].Replicas.Estimate, math.Ceil(20_000*50*us/0.7))
	if !(redis.P99 > (500+125)*us && redis.P99 < 0.02) {
		t.Errorf("p99 is %v s, want more than an idle system's latency and no outage", redis.P99)
	}
	if got := strings.Join(redis.Trials, " "); got != "session/redis-1 session/redis-2 session/redis-3 session/redis-4" {
		t.Errorf("figures come from %s", got)
	}
}

// TestLaws asks what holds of every arm when one setting changes.
func TestLaws(t *testing.T) {
	base := planOf(t, target(50_000))
	for name, x := range map[string]struct {
		change func(*Target)
		holds  func(before, after Sized) bool
	}{
		"four times the rate": {func(t *Target) { t.Rate *= 4 }, func(a, b Sized) bool {
			return b.Replicas.Estimate >= 3*a.Replicas.Estimate && b.Nodes.Estimate >= a.Nodes.Estimate &&
				b.BalancerNodes.Estimate >= a.BalancerNodes.Estimate && b.StoreCores.Estimate >= a.StoreCores.Estimate &&
				b.Stores.Estimate >= a.Stores.Estimate && b.ClientBits == 4*a.ClientBits &&
				b.StoreBytes == a.StoreBytes
		}},
		"twice the cores of a node": {func(t *Target) { t.Cores *= 2 }, func(a, b Sized) bool {
			return b.Replicas == a.Replicas && b.Nodes.Estimate == math.Ceil(a.Replicas.Estimate/16) &&
				math.Abs(2*b.Nodes.Estimate-a.Nodes.Estimate) <= 1
		}},
		"more kept free": {func(t *Target) { t.Headroom = 0.6 }, func(a, b Sized) bool {
			return b.Replicas.Estimate > a.Replicas.Estimate && b.StoreCores.Estimate >= a.StoreCores.Estimate && b.P99 < a.P99
		}},
		"a farther store": {func(t *Target) { t.RoundTrip += 2 * time.Millisecond }, func(a, b Sized) bool {
			more := 0.0
			if a.Store != "" {
				more = 50_000 * 0.002
			}
			return b.Replicas == a.Replicas && b.StoreCores == a.StoreCores && b.CoreHours == a.CoreHours &&
				math.Abs(b.ConnectionsInUse-a.ConnectionsInUse-more) < 1e-6 && (b.P99-a.P99 > 0.0015) == (a.Store != "")
		}},
		"twice the users": {func(t *Target) { t.Users *= 2 }, func(a, b Sized) bool {
			return math.Abs(b.StoreBytes.Estimate-2*a.StoreBytes.Estimate) < 1 && b.StoreBytes.Estimate >= a.StoreBytes.Estimate
		}},
		"a write with every request": {func(t *Target) { t.Touch = Every }, func(a, b Sized) bool {
			if a.Store == "" {
				return b.Writes == 0 && b.StoreCores == a.StoreCores && !slices.Contains(b.Marks, Written)
			}
			return b.Writes == 1 && b.StoreCores.Estimate > a.StoreCores.Estimate && b.ReplicasPerStore.Estimate < a.ReplicasPerStore.Estimate &&
				b.StoreBits == 2*a.StoreBits && slices.Contains(b.Marks, Written)
		}},
	} {
		for a, after := range planOf(t, target(50_000, x.change)) {
			if !x.holds(base[a], after) {
				t.Errorf("%s, %s: before %+v\nafter %+v", name, a, base[a], after)
			}
		}
	}
	for a, s := range base {
		asks := arm.Of(a).Store() != ""
		if asks != (s.Stores.Estimate > 0) || asks != (s.StoreCores.Estimate > 0) || asks != (s.ConnectionsInUse > 0) {
			t.Errorf("%s asks a store: %v; it gets %+v", a, asks, s)
		}
		if s.Replicas.Low > s.Replicas.Estimate || s.Replicas.High < s.Replicas.Estimate || s.Replicas.N != 4 {
			t.Errorf("%s: replicas are %+v", a, s.Replicas)
		}
		if s.Cost.N != 0 {
			t.Errorf("%s: a cost of %+v without a price", a, s.Cost)
		}
	}
}

func TestLittleFillsInSessionsAndLogins(t *testing.T) {
	for _, x := range []struct{ users, logins, wantSessions, wantLogins float64 }{
		{3600, 0, 3600, 1}, {0, 2, 7200, 2}, {3600, 2, 7200, 2}, {10_000, 2, 10_000, 2}, {0, 0, 0, 0},
	} {
		g := target(1000, func(t *Target) { t.Users, t.Logins, t.Lifetime = x.users, x.logins, time.Hour })
		if g.sessions() != x.wantSessions || g.logins() != x.wantLogins {
			t.Errorf("%v users and %v log-ins/s are %v sessions and %v log-ins/s, want %v and %v", x.users, x.logins, g.sessions(), g.logins(),
				x.wantSessions, x.wantLogins)
		}
	}
}

func TestThrottledTouch(t *testing.T) {
	few := target(1000, func(t *Target) { t.Users, t.Touch = 6000, Throttled })
	if few.writes() != 0.1 { // 6,000 sessions once a minute are 100/s
		t.Errorf("%v writes a request, want 0.1", few.writes())
	}
	few.Users = 1e6
	if few.writes() != 1 {
		t.Errorf("%v writes a request of sessions that are each asked less than once a minute, want 1", few.writes())
	}
}

func TestMarks(t *testing.T) {
	for mark, x := range map[Mark]struct {
		arm    trial.Arm
		with   func(*Target)
		others trial.Arm // that do not have it then
	}{
		Far:      {"jwt/HS256", func(t *Target) { t.Rate = 200_001 }, ""},
		Sharded:  {"session/redis", func(t *Target) { t.Rate = 40_000 }, "session/postgres"},
		ByMemory: {"session/postgres", func(t *Target) { t.StoreMemory = 0.2 }, "jwt/HS256"},
		Pool:     {"session/redis", func(t *Target) { t.RoundTrip = 10 * time.Millisecond }, "session/memory"},
		InNodes:  {"session/memory", func(*Target) {}, "session/redis"},
		Written:  {"session/redis", func(t *Target) { t.Touch = Throttled }, "session/memory"},
	} {
		p := planOf(t, target(10_000, x.with))
		if !slices.Contains(p[x.arm].Marks, mark) {
			t.Errorf("%s lacks the mark %q: %v", x.arm, mark, p[x.arm].Marks)
		}
		if x.others != "" && slices.Contains(p[x.others].Marks, mark) {
			t.Errorf("%s has the mark %q", x.others, mark)
		}
	}
	if p := planOf(t, target(200_000)); slices.Contains(p["jwt/HS256"].Marks, Far) {
		t.Error("100 times what was measured is marked as more")
	}
	users := planOf(t, target(10_000, func(t *Target) { t.Users = 100*100_000 + 1 }))
	if !slices.Contains(users["session/redis"].Marks, Far) || slices.Contains(users["jwt/HS256"].Marks, Far) {
		t.Error("more than 100 times the sessions measured: want a mark where a store holds them, and nowhere else")
	}
}

func TestCrossings(t *testing.T) {
	p, err := Make(paper(), target(10_000))
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := Make(paper(), target(10_000)); !reflect.DeepEqual(again, p) {
		t.Error("the same run and target give two plans")
	}
	var found bool
	for _, c := range p.Crossings {
		if arm.Of(c.Arm).Store() != "" || arm.Of(c.Over).Store() == "" {
			t.Errorf("%s over %s: want an arm without a store over one with", c.Arm, c.Over)
		}
		if c.Arm == "jwt/ES256" && c.Over == "session/redis" {
			found = true // asymptotes cross at 150/25 = 6; blocks slow both alike, so that they cancel
			if c.From.Estimate < 6 || c.From.Estimate > 7 || c.From.High-c.From.Low > 0.1 || math.Abs(c.At-1/(25*us)) > 0.02/(25*us) {
				t.Errorf("jwt/ES256 over session/redis: %+v, want a little above 6 replicas at 40,000/s", c)
			}
		}
		if c.Arm == "jwt/HS256" {
			t.Errorf("jwt/HS256 is above from the first replica on, and crosses %s at %v", c.Over, c.From)
		}
	}
	if !found {
		t.Errorf("no crossing of jwt/ES256 over session/redis in %+v", p.Crossings)
	}
	for _, c := range p.Curves {
		if len(c.Replicas) != len(c.Rate) || !slices.IsSortedFunc(c.Rate, func(a, b trial.Interval) int { return int(a.Estimate - b.Estimate) }) {
			t.Errorf("%s: a curve that falls: %+v", c.Arm, c)
		}
	}
}

// Every figure of the JSON has a formula, or is one that a trial or a setting gives.
func TestEveryFigureSaysHow(t *testing.T) {
	p, err := Make(paper(), target(10_000, func(t *Target) { t.PriceNode = 1 }))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		Arms     []map[string]any
		Formulas map[string]string
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	given := []string{"arm", "store", "trials", "measuredRate", "balancerMicroseconds", "replicasMicroseconds", "storeMicroseconds",
		"poolNeeded", "marks"}
	for name := range out.Arms[2] {
		if out.Formulas[name] == "" && !slices.Contains(given, name) {
			t.Errorf("%s has no formula", name)
		}
	}
}

func TestCheckNamesFlagValueAndWhatToDo(t *testing.T) {
	for want, change := range map[string]func(*Target){
		"--rate 0: want requests a second":             func(t *Target) { t.Rate = 0 },
		"--rate NaN: want":                             func(t *Target) { t.Rate = math.NaN() },
		"--users -1: want sessions":                    func(t *Target) { t.Users = -1 },
		"--logins -2: want log-ins":                    func(t *Target) { t.Logins = -2 },
		"--headroom 1: want a share":                   func(t *Target) { t.Headroom = 1 },
		"--headroom 0: want a share":                   func(t *Target) { t.Headroom = 0 },
		"--store-memory 0: want GiB":                   func(t *Target) { t.StoreMemory = 0 },
		"--price-node -1: want the price":              func(t *Target) { t.PriceNode = -1 },
		"--price-store +Inf: want at most 1e+12":       func(t *Target) { t.PriceStore = math.Inf(1) },
		"--lifetime 0s: want how long":                 func(t *Target) { t.Lifetime = 0 },
		"--rtt -1ms: want the round trip":              func(t *Target) { t.RoundTrip = -time.Millisecond },
		"--cores 0: want cores":                        func(t *Target) { t.Cores = 0 },
		"--store-cores 5000: want cores":               func(t *Target) { t.StoreCores = 5000 },
		"--touch always: want none, throttled (once a": func(t *Target) { t.Touch = "always" },
	} {
		if err := target(1000, change).Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s...", err, want)
		}
	}
}
