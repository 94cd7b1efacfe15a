package plan

import (
	"math"

	"authbench/bench/arm"
	"authbench/bench/model"
	"authbench/bench/trial"
)

// Plan is what a target takes of every arm of a run.
type Plan struct {
	Run      string              `json:"run"`
	Target   Target              `json:"target"`
	Sessions float64             `json:"sessions"`
	Logins   float64             `json:"logins"`
	Arms     []Sized             `json:"arms"`
	Missing  []string            `json:"missing,omitempty"`
	Login    Constant            `json:"login"`
	Session  map[string]Constant `json:"sessionBytes"`

	Crossings []Crossing        `json:"crossings"`
	Curves    []Curve           `json:"curves"`
	Demands   Source            `json:"demands"`
	Formulas  map[string]string `json:"formulas"`
}

// Source says how demands are read from the run's trials.
type Source struct {
	Experiment string                `json:"experiment"`
	Step       string                `json:"step"`
	Metrics    map[trial.Tier]string `json:"metrics"`
}

// Crossing is the number of replicas from which on an arm without a store serves more than one with one.
type Crossing struct {
	Arm  trial.Arm      `json:"arm"`
	Over trial.Arm      `json:"over"`
	From trial.Interval `json:"from"` // ends at 256, or what else is the most that was looked at, where it lies beyond
	At   float64        `json:"at"`   // requests a second that both serve there

	StoreCores int `json:"storeCores,omitempty"` // as of a Curve: what the second has
}

// Curve is what an arm serves at most with one store, by replicas.
type Curve struct {
	Arm      trial.Arm        `json:"arm"`
	Replicas []int            `json:"replicas"`
	Rate     []trial.Interval `json:"rate"` // requests a second

	// Of an arm that asks a store, in a scaling without a target: the cores of it that serve at once, the most requests a
	// second that they allow, and the replicas that use them up.
	StoreCores int            `json:"storeCores,omitempty"`
	Ceiling    trial.Interval `json:"ceiling,omitzero"`
	Knee       trial.Interval `json:"knee,omitzero"`
}

const (
	inFlight = 16 // of curves and crossings, for each replica: enough to keep it busy
	curveEnd = 256
	// A simulation of this many replicas and more would take seconds.
	simulatedReplicas = 512
)

// Make plans a target that Check passes.
func Make(b Basis, t Target) (Plan, error) {
	p := Plan{Run: b.Run.Name, Target: t, Sessions: t.sessions(), Logins: t.logins(), Missing: b.Missing, Login: b.Login, Session: b.Session,
		Formulas: formulas, Demands: Source{Experiment, Step, map[trial.Tier]string{}}}
	for _, tier := range []trial.Tier{trial.BalancerTier, trial.ReplicaTier, trial.StoreTier} {
		p.Demands.Metrics[tier] = Metric(tier)
	}
	drawn, err := b.draw()
	if err != nil {
		return p, err
	}
	p.Arms, p.Crossings = b.sizes(t, drawn), crossings(b, t, drawn, curveEnd, func(trial.Arm) bool { return true })
	for i, m := range b.Arms {
		p.Curves = append(p.Curves, curve(t, drawn, i, m.Arm, curveEnd))
	}
	return p, nil
}

func (b Basis) draw() (model.Draws, error) {
	var starts [][]model.Start
	for _, m := range b.Arms {
		starts = append(starts, m.Starts)
	}
	return model.Draw(starts, b.draws, b.Run.Seed)
}

func (b Basis) sizes(t Target, drawn model.Draws) (all []Sized) {
	for i, m := range b.Arms {
		all = append(all, b.size(t, drawn, i, m))
	}
	return all
}

func (b Basis) size(t Target, drawn model.Draws, i int, m Measured) Sized {
	kind := arm.Of(m.Arm)
	bytes := b.Session[kind.Factor("store")]
	at := func(d model.Demand, login, bytes float64) load { return load{t, kind, d, login, bytes} }
	// Of a log-in's CPU and a session's bytes the ends of their own intervals go into those of what is worked out from them.
	figure := func(f func(load) float64) trial.Interval {
		of := func(login, bytes float64) trial.Interval {
			return drawn.Of(i, func(d model.Demand) float64 { return f(at(d, login, bytes)) })
		}
		iv := of(b.Login.Estimate, bytes.Estimate)
		iv.Low, iv.High = of(b.Login.Low, bytes.Low).Low, of(b.Login.High, bytes.High).High
		return iv
	}
	tier := func(f func(model.Demand) float64) trial.Interval {
		return drawn.Of(i, func(d model.Demand) float64 { return f(d) * 1e6 })
	}
	mean := at(drawn.Means[i], b.Login.Estimate, bytes.Estimate)
	s := Sized{
		Arm: m.Arm, Store: kind.Store(), Trials: m.Trials, MeasuredRate: m.Rate,
		BalancerUS: tier(func(d model.Demand) float64 { return d.Balancer }),
		ReplicaUS:  tier(func(d model.Demand) float64 { return d.Replica }),
		StoreUS:    tier(func(d model.Demand) float64 { return d.Store }),
		Writes:     mean.writing(),
		Replicas:   figure(load.replicas), Nodes: figure(load.nodes), BalancerNodes: figure(load.balancerNodes),
		StoreCores: figure(load.storeCores), Stores: figure(load.stores), StoreBytes: figure(load.sessionBytes),
		ClientBits: t.Rate * (m.RequestBytes.Estimate + m.ResponseBytes.Estimate) * 8,
		CoreHours:  figure(load.coreHours),
	}
	if t.PriceNode > 0 || t.PriceStore > 0 {
		s.Cost = figure(load.cost)
	}
	if s.Store != "" {
		s.ConnectionsInUse = mean.inUse()
		s.ConnectionsOpen = s.Replicas.Estimate * float64(m.Pool) * s.Stores.Estimate
		perReplica := s.ConnectionsInUse / s.Replicas.Estimate
		s.PoolNeeded = int(math.Ceil(perReplica + 3*math.Sqrt(perReplica)))
		s.StoreBits = t.Rate * m.StoreBytes.Estimate * (1 + s.Writes) * 8
		s.ReplicasPerStore = drawn.Of(i, func(d model.Demand) float64 {
			l := at(d, 0, 0)
			return l.coresOfOne() * d.ReplicasPerStoreCore() / (1 + l.writing())
		})
	}
	s.P99 = b.p99(mean, m.Pool, s)
	s.Marks = marks(mean, m, s)
	return s
}

// p99 is the simulated 99th percentile of latency in seconds, or 0 where there are too many replicas for it.
func (b Basis) p99(l load, pool int, s Sized) float64 {
	replicas := int(s.Replicas.Estimate)
	if replicas > simulatedReplicas {
		return 0
	}
	sim := model.Simulation{Demand: l.demand, Replicas: replicas, Pool: pool * max(1, int(s.Stores.Estimate)),
		RoundTrip: l.RoundTrip.Seconds(), Rate: l.Rate, Requests: max(b.requests, 200*replicas), Seed: b.Run.Seed}
	sim.Demand.Store *= 1 + l.writing()
	if s.Store != "" {
		sim.Shards = int(s.Stores.Estimate)
		sim.StoreCores = int(s.StoreCores.Estimate) / sim.Shards
	}
	if l.kind.State == arm.Replica { // else any replica will do
		if users := int(min(l.sessions(), 1e6)); users > 0 {
			sim.Shares = model.StickyShares(users, replicas, 0, b.Run.Seed)
		}
	}
	return sim.Run().Quantile(0.99)
}

func marks(l load, m Measured, s Sized) (all []Mark) {
	add := func(mark Mark, holds bool) {
		if holds {
			all = append(all, mark)
		}
	}
	add(Far, l.Rate > FarTimes*m.Rate || l.kind.State == arm.Shared && l.sessions() > FarTimes*m.Sessions)
	add(Sharded, s.Stores.Estimate > 1)
	add(ByMemory, s.Store != "" && l.byMemory() > max(1, l.byCPU()))
	add(Pool, s.PoolNeeded > m.Pool*max(1, int(s.Stores.Estimate)))
	add(InNodes, l.kind.State == arm.Replica)
	add(Written, s.Writes > 0)
	return all
}

// serves is what an arm serves at most with one store, by its demand and the number of replicas.
func (t Target) serves(a trial.Arm) func(d model.Demand, replicas int) float64 {
	one := load{Target: t, kind: arm.Of(a)}
	system, work := model.System{StoreCores: int(one.coresOfOne()), InFlight: inFlight}, 1+one.writing()
	return func(d model.Demand, replicas int) float64 {
		d.Store *= work
		return system.Throughput(d, replicas)
	}
}

func curve(t Target, drawn model.Draws, i int, a trial.Arm, most int) Curve {
	c, serves := Curve{Arm: a}, t.serves(a)
	for n := 1; n <= most; n *= 2 {
		c.Replicas = append(c.Replicas, n)
		c.Rate = append(c.Rate, drawn.Of(i, func(d model.Demand) float64 { return serves(d, n) }))
	}
	return c
}

// crossings are of every arm that asks no store and begins below one that asks
// one, if that is wanted, where they meet with fewer replicas than most.
func crossings(b Basis, t Target, drawn model.Draws, most int, wanted func(over trial.Arm) bool) (all []Crossing) {
	for i, m := range b.Arms {
		for j, over := range b.Arms {
			if arm.Of(m.Arm).Store() != "" || arm.Of(over.Arm).Store() == "" || !wanted(over.Arm) {
				continue
			}
			own, its := t.serves(m.Arm), t.serves(over.Arm)
			from := drawn.Between(i, j, func(x, y model.Demand) float64 {
				return min(float64(most), model.Crossing(func(n int) float64 { return own(x, n) }, func(n int) float64 { return its(y, n) }, most))
			})
			if from.Estimate > 1 && from.Estimate < float64(most) {
				low, share := math.Modf(from.Estimate)
				below, above := own(drawn.Means[i], int(low)), own(drawn.Means[i], int(low)+1)
				all = append(all, Crossing{Arm: m.Arm, Over: over.Arm, From: from, At: below + share*(above-below)})
			}
		}
	}
	return all
}
