package analysistest

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// figures are what one request of an arm is taken to need. They are invented,
// near to what a small machine shows, and prove nothing about any machine.
type figures struct {
	balancer, replica, store float64 // us of CPU at full load
	request, response        float64 // bytes
	redis, statements        float64 // store operations
}

var control = figures{balancer: 22, replica: 44, request: 118, response: 262}

// of is the arm's figures: the control's and what authentication adds.
func of(a trial.Arm) figures {
	f := control
	switch arm.Of(a).Family {
	case arm.Session:
		f.request += 62 // a cookie with a random identifier
		f.balancer++
	case arm.Token:
		f.request += 350
		f.balancer += 3
	}
	switch k := arm.Of(a); k.Factor("store") + k.Factor("algorithm") {
	case "memory":
		f.replica += 3
	case "redis":
		f.replica, f.store, f.redis = f.replica+31, 17, 1
	case "postgres":
		f.replica, f.store, f.statements = f.replica+42, 71, 1
	case "HS256":
		f.replica += 12
	case "RS256":
		f.replica, f.request = f.replica+46, f.request+299
	case "ES256":
		f.replica, f.request = f.replica+91, f.request+43
	case "EdDSA":
		f.replica, f.request = f.replica+67, f.request+43
	}
	if arm.Of(a).Factor("denylist") == "redis" {
		f.replica, f.store, f.redis = f.replica+31, 17, 1
	}
	return f
}

// capacity is what one CPU shared by all tiers serves per second.
func (f figures) capacity() float64 { return 1e6 / (f.balancer + f.replica + f.store) }

// noise is a source of small deviations that depends on a trial's key alone.
type noise struct{ *rand.Rand }

func noiseOf(key string) noise {
	h := fnv.New64a()
	h.Write([]byte(key))
	return noise{rand.New(rand.NewPCG(h.Sum64(), 1))}
}

// near is v with a deviation of about the given share.
func (n noise) near(v, share float64) float64 {
	return v * (1 + share*max(-2.5, min(2.5, n.NormFloat64())))
}

// fill gives a measurement of the driver plausible figures.
func fill(t *trial.Trial, m *trial.Measurement, n noise) {
	system := t.Spec.Cells[m.Cell].System
	set := func(options ...Option) {
		if m.Cell == 1 {
			options = []Option{Beside(options...)}
		}
		for _, o := range options {
			o(t)
		}
	}
	f := of(system.Arm)
	r, ok := m.Result("")
	if !ok {
		return
	}
	if r.Stream.Pacing.Mode != trial.Open || m.Search != nil {
		saturate(system, m, r, f, n)
	}
	busy := min(1, r.Throughput()/f.capacity())
	if len(system.Budgets) > 0 {
		busy = 1
	}
	idle := 1.9 - 0.9*busy // CPU per request falls as load rises
	name := m.Step
	set(CPU(name, trial.BalancerTier, n.near(f.balancer*idle, 0.02)),
		CPU(name, trial.ReplicaTier, n.near(control.replica*idle+(f.replica-control.replica)*(0.7+0.3*idle), 0.02)),
		CPU(name, trial.StoreTier, n.near(f.store*idle, 0.03)),
		CPU(name, trial.GeneratorTier, n.near(11*idle, 0.03)),
		Bytes(name, f.request, f.response))
	if arm.Of(system.Arm).Family == arm.Token { // a Redis stands there and is not asked
		set(Counter(name, "redis_commands", 0))
	}
	if f.redis > 0 {
		set(Counter(name, "redis_commands", f.redis))
		set(Counter(name, "redis_net_input_bytes", 131))
		set(Counter(name, "redis_net_output_bytes", 164))
	}
	if f.statements > 0 {
		set(Counter(name, "postgres_statements", f.statements))
	}
	m.Usage.Counters["nginx_requests"] = float64(r.Completed)
	service := (f.balancer + f.replica + f.store + 110) * float64(time.Microsecond)
	if len(system.Budgets) > 0 {
		service *= 45 // waiting for the next period of the quota
	}
	median := n.near(service/(1-0.6*busy), 0.04)
	set(Latency(name, time.Duration(median), time.Duration(median*n.near(3+4*busy, 0.08))))
	for i := range int64(system.Replicas) {
		r.Replicas[replicaName(int(i))] = (r.Completed + i) / int64(system.Replicas)
	}
	r.Users = min(int64(system.Users), r.Completed)
	m.Usage.Steal, m.Usage.Foreign = 0, math.Abs(n.near(0.002, 0.5))
}

// saturate sets what a closed loop reached under its budgets and what a search found.
func saturate(s trial.System, m *trial.Measurement, r *trial.StreamResult, f figures, n noise) {
	rate := f.capacity()
	if cpu := s.Budgets[trial.ReplicaTier]; cpu > 0 {
		rate = min(rate, float64(s.Replicas)*cpu*1e6/f.replica)
	}
	if cpu := s.Budgets[trial.StoreTier]; cpu > 0 {
		rate = min(rate, cpu*1e6/f.store)
	}
	if m.Search != nil {
		r.Stream.Pacing.Rate = math.Round(n.near(0.84*rate, 0.02))
		setThroughput(r, r.Stream.Pacing.Rate)
		return
	}
	setThroughput(r, n.near(rate, 0.015))
}

// shareLag gives every measurement the same pacer lag and queue wait: a
// histogram's size does not depend on its counts, and a run has hundreds.
func shareLag(trials []trial.Trial) {
	lag := LogNormal(2000, 18*time.Microsecond, 160*time.Microsecond)
	wait := LogNormal(2000, 4*time.Microsecond, 90*time.Microsecond)
	for _, t := range trials {
		for i := range t.Steps {
			for _, r := range t.Steps[i].Streams {
				r.PacerLag, r.QueueWait = lag, wait
			}
		}
	}
}
