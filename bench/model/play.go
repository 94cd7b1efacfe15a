package model

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Run plays the simulation. Its settings must be such as Check passes. A system
// that cannot keep up with its rate gives latencies that grow with Requests.
func (s Simulation) Run() Simulated {
	p := play{Simulation: s, rng: rand.New(rand.NewPCG(s.Seed, 2)), replicas: make([]server, s.Replicas), pools: make([]server, s.Replicas)}
	for i := range p.replicas {
		p.replicas[i].cores, p.pools[i].cores = 1, s.Pool
		if s.Pool == 0 {
			p.pools[i].cores = math.MaxInt
		}
	}
	for range max(s.Shards, 1) {
		p.stores = append(p.stores, server{cores: s.StoreCores})
	}
	sum := 0.0
	for _, share := range s.Shares {
		sum += share
		p.upTo = append(p.upTo, sum)
	}
	return p.run()
}

// play is a simulation under way.
type play struct {
	Simulation
	rng      *rand.Rand
	now      float64
	events   events
	requests []request
	free     []int // positions of requests that have been answered
	replicas []server
	pools    []server // of connections to the store, by replica
	stores   []server
	upTo     []float64 // Shares, summed up
	turn     int       // of RoundRobin
}

type request struct {
	arrived float64
	asked   float64 // when it wanted a connection to the store
	waited  float64 // for one, in seconds
	replica int
	store   int
	back    bool // from the store
}

// stage is what a request has just had when its event comes.
type stage uint8

const (
	arriving stage = iota // nothing: it is an open loop's next
	balanced              // the balancer
	halved                // the first half of the replica's demand
	crossed               // the way to the store
	stored                // the store's demand
	returned              // the way back
	served                // all of the replica's demand
)

func (p *play) run() Simulated {
	if p.Rate > 0 {
		p.after(p.rng.ExpFloat64()/p.Rate, arriving, 0)
	} else {
		for range p.InFlight {
			p.arrive()
		}
	}
	out := Simulated{Latencies: make([]float64, 0, p.Requests)}
	warm, answered, since := p.Requests/10, 0, 0.0
	for len(out.Latencies) < p.Requests {
		e := p.events.next()
		p.now = e.at
		p.step(e)
		if e.stage != served {
			continue
		}
		if answered++; answered > warm {
			r := &p.requests[e.id]
			out.Latencies = append(out.Latencies, p.now-r.arrived)
			out.PoolWait += r.waited
		} else {
			since = p.now
		}
		p.free = append(p.free, e.id)
		if p.Rate == 0 {
			p.arrive()
		}
	}
	out.Throughput = float64(p.Requests) / (p.now - since)
	out.PoolWait /= float64(p.Requests)
	slices.Sort(out.Latencies)
	return out
}

// step takes a request from one stage towards the next.
func (p *play) step(e event) {
	if e.stage == arriving {
		p.arrive()
		p.after(p.rng.ExpFloat64()/p.Rate, arriving, 0)
		return
	}
	r := &p.requests[e.id]
	switch e.stage {
	case balanced:
		p.enter(e.id)
	case halved:
		p.release(r.replica)
		r.asked = p.now
		if p.pools[r.replica].take(e.id) {
			p.after(p.RoundTrip/2, crossed, e.id)
		}
	case crossed:
		if p.stores[r.store].take(e.id) {
			p.after(p.time(p.Demand.Store), stored, e.id)
		}
	case stored:
		if next, waits := p.stores[r.store].leave(); waits {
			p.after(p.time(p.Demand.Store), stored, next)
		}
		p.after(p.RoundTrip/2, returned, e.id)
	case returned:
		if next, waits := p.pools[r.replica].leave(); waits {
			p.requests[next].waited = p.now - p.requests[next].asked
			p.after(p.RoundTrip/2, crossed, next)
		}
		r.back = true
		p.enter(e.id)
	case served:
		p.release(r.replica)
	}
}

// arrive lets a new request come.
func (p *play) arrive() {
	r := request{arrived: p.now, replica: p.choose()}
	if len(p.stores) > 1 {
		r.store = p.rng.IntN(len(p.stores))
	}
	id := len(p.requests)
	if n := len(p.free); n > 0 {
		id, p.free = p.free[n-1], p.free[:n-1]
		p.requests[id] = r
	} else {
		p.requests = append(p.requests, r)
	}
	p.after(p.time(p.Demand.Balancer), balanced, id)
}

// choose is the balancer's choice of a replica.
func (p *play) choose() int {
	switch {
	case len(p.upTo) > 0:
		at, _ := slices.BinarySearch(p.upTo, p.rng.Float64())
		return min(at, p.Replicas-1)
	case p.RoundRobin:
		p.turn = (p.turn + 1) % p.Replicas
		return p.turn
	}
	return p.rng.IntN(p.Replicas)
}

// enter takes the replica's core, or waits for it.
func (p *play) enter(id int) {
	if p.replicas[p.requests[id].replica].take(id) {
		p.serve(id)
	}
}

// serve has the replica work on a request whose turn it is.
func (p *play) serve(id int) {
	switch {
	case p.Demand.Store == 0:
		p.after(p.time(p.Demand.Replica), served, id)
	case p.requests[id].back:
		p.after(p.time(p.Demand.Replica/2), served, id)
	default:
		p.after(p.time(p.Demand.Replica/2), halved, id)
	}
}

// release gives the replica's core to whoever waits for it.
func (p *play) release(replica int) {
	if next, waits := p.replicas[replica].leave(); waits {
		p.serve(next)
	}
}

// time is how long something takes that takes mean seconds on the mean.
func (p *play) time(mean float64) float64 {
	if p.Constant || mean == 0 {
		return mean
	}
	return mean * p.rng.ExpFloat64()
}

func (p *play) after(seconds float64, s stage, id int) { p.events.add(p.now+seconds, s, id) }

// server is a number of cores, or connections, with a queue in order of arrival.
type server struct {
	cores, busy int
	queue       []int // of requests; those before head are gone
	head        int
}

// take has a core for the request, or puts it into the queue.
func (s *server) take(id int) bool {
	if s.busy < s.cores {
		s.busy++
		return true
	}
	if s.head > 64 && 2*s.head > len(s.queue) {
		s.queue = s.queue[:copy(s.queue, s.queue[s.head:])]
		s.head = 0
	}
	s.queue = append(s.queue, id)
	return false
}

// leave frees a core and says whose it is from now on, if anyone waits.
func (s *server) leave() (id int, waits bool) {
	if s.head == len(s.queue) {
		s.busy--
		return 0, false
	}
	s.head++
	return s.queue[s.head-1], true
}

type event struct {
	at    float64
	order int // of two at the same moment, the one that was foreseen first comes first
	stage stage
	id    int
}

// events are what is foreseen, as a binary heap: container/heap would allocate for every one of them.
type events struct {
	heap  []event
	order int
}

func (a event) before(b event) bool { return a.at < b.at || a.at == b.at && a.order < b.order }

func (e *events) add(at float64, s stage, id int) {
	e.order++
	e.heap = append(e.heap, event{at, e.order, s, id})
	for i := len(e.heap) - 1; i > 0 && e.heap[i].before(e.heap[(i-1)/2]); i = (i - 1) / 2 {
		e.heap[i], e.heap[(i-1)/2] = e.heap[(i-1)/2], e.heap[i]
	}
}

func (e *events) next() event {
	first, last := e.heap[0], len(e.heap)-1
	e.heap[0] = e.heap[last]
	e.heap = e.heap[:last]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < last; c++ {
			if e.heap[c].before(e.heap[least]) {
				least = c
			}
		}
		if least == i {
			return first
		}
		e.heap[i], e.heap[least] = e.heap[least], e.heap[i]
		i = least
	}
}
