package plan

import (
	"math"

	"authbench/bench/arm"
	"authbench/bench/model"
	"authbench/bench/trial"
)

// Mark says of a line what a reader must not overlook.
type Mark string

// The marks, in the order of their words below a table.
const (
	Far      Mark = "far"      // the target is more than FarTimes what was measured
	Sharded  Mark = "sharded"  // more than one store: the servers measured speak to one
	ByMemory Mark = "memory"   // memory, not CPU, says how many stores there are
	Pool     Mark = "pool"     // a replica's pool of connections is too small
	InNodes  Mark = "in nodes" // sessions live in the replicas
	Written  Mark = "written"  // writes of sessions are charged as look-ups, which was not measured
)

// FarTimes is how many times what was measured a target may be without a mark.
const FarTimes = 100

// formulas say how each figure of Sized is worked out, by its name in JSON. D is
// the demand of a tier in CPU-seconds per request, by its mean over starts.
var formulas = map[string]string{
	"demands":          "mean over starts; of a duet's start, times the mean control of its block over the control beside it",
	"logins":           "a second: --logins, or users / lifetime",
	"sessions":         "max(users, logins x lifetime)",
	"writes":           "of its session, by a request, in a shared store: none 0, every 1, throttled min(1, sessions / 60 s / rate)",
	"replicas":         "ceil((rate x D_replicas + logins x CPU of one) / (1 - headroom)), of one core each; no log-ins for the control",
	"nodes":            "ceil(replicas / cores)",
	"balancerNodes":    "ceil(ceil(rate x D_balancer / (1 - headroom)) / cores)",
	"storeCores":       "ceil(rate x D_store x (1 + writes) / (1 - headroom)), at least one for each store",
	"stores":           "max(ceil(storeCores / cores of one), ceil(storeBytes / (1 - headroom) / memory of one)); a Redis has one core",
	"storeBytes":       "sessions x bytes of a session; where they are in a replica's memory, of all nodes together",
	"connectionsInUse": "rate x (round trip + D_store x (1 + writes) / (1 - load of the store)): X R (Little), M/M/1 at most",
	"connectionsOpen":  "replicas x pool of a replica x stores",
	"clientBits":       "a second: rate x (bytes of request + bytes of answer) x 8",
	"storeBits":        "a second: rate x bytes between replica and store x (1 + writes) x 8",
	"coreHours":        "(replicas + balancer cores + store cores, each rounded up) / (rate x 3600 s) x 10^6",
	"cost":             "((nodes + balancerNodes) x price of a node + storeCores x price of one) / (rate x 3600 s) x 10^6",
	"replicasPerStore": "cores of one store x D_replicas / (D_store x (1 + writes))",
	"p99Seconds":       "simulated: Poisson arrivals, exponential demands, the planned replicas and stores, no log-ins",
	"from":             "replicas at which closed networks of both arms, 16 in flight for each replica and one store, serve the same",
	"interval":         "95 %: bootstrap over the run's blocks, all arms of a block together; ends hold those of a log-in's CPU as well",
}

// Sized is what the target takes of one arm. Intervals are 95 %.
type Sized struct {
	Arm    trial.Arm `json:"arm"`
	Store  string    `json:"store,omitempty"` // that requests ask
	Trials []string  `json:"trials"`          // that its demands are the mean of

	MeasuredRate float64        `json:"measuredRate"` // requests a second, served meanwhile
	BalancerUS   trial.Interval `json:"balancerMicroseconds"`
	ReplicaUS    trial.Interval `json:"replicasMicroseconds"`
	StoreUS      trial.Interval `json:"storeMicroseconds"`

	Writes        float64        `json:"writes"`
	Replicas      trial.Interval `json:"replicas"`
	Nodes         trial.Interval `json:"nodes"`
	BalancerNodes trial.Interval `json:"balancerNodes"`
	StoreCores    trial.Interval `json:"storeCores"`
	Stores        trial.Interval `json:"stores"`
	StoreBytes    trial.Interval `json:"storeBytes"`

	ConnectionsInUse float64 `json:"connectionsInUse,omitempty"`
	ConnectionsOpen  float64 `json:"connectionsOpen,omitempty"`
	PoolNeeded       int     `json:"poolNeeded,omitempty"` // connections of a replica: its mean and three standard deviations

	ClientBits float64 `json:"clientBits"`
	StoreBits  float64 `json:"storeBits,omitempty"` // 0 where nobody counts them

	CoreHours trial.Interval `json:"coreHours"`
	Cost      trial.Interval `json:"cost,omitzero"` // in the unit of the prices

	ReplicasPerStore trial.Interval `json:"replicasPerStore,omitzero"`
	P99              float64        `json:"p99Seconds,omitempty"` // 0: not simulated

	Marks []Mark `json:"marks,omitempty"`
}

// load is an arm's demand with what the target adds to it.
type load struct {
	Target
	kind   arm.Kind
	demand model.Demand
	login  float64 // CPU-seconds of one
	bytes  float64 // of one session
}

// writing is how many writes a request adds to the store.
func (l load) writing() float64 {
	if l.kind.State != arm.Shared {
		return 0
	}
	return l.writes()
}

func (l load) replicas() float64 {
	logins := l.logins()
	if l.kind.Family == arm.Control {
		logins = 0
	}
	return atLeastOne(math.Ceil((l.Rate*l.demand.Replica + logins*l.login) / (1 - l.Headroom)))
}

func (l load) nodes() float64 { return math.Ceil(l.replicas() / float64(l.Cores)) }

func (l load) balancerCores() float64 {
	return atLeastOne(math.Ceil(l.Rate * l.demand.Balancer / (1 - l.Headroom)))
}

func (l load) balancerNodes() float64 { return math.Ceil(l.balancerCores() / float64(l.Cores)) }

// coresOfOne is the cores that one store uses at most: Redis carries out commands on one.
func (l load) coresOfOne() float64 {
	if l.kind.Store() == "redis" {
		return 1
	}
	return float64(l.Target.StoreCores)
}

// storeWork is the CPU-seconds of the store in a second.
func (l load) storeWork() float64 { return l.Rate * l.demand.Store * (1 + l.writing()) }

func (l load) byCPU() float64 {
	return math.Ceil(math.Ceil(l.storeWork()/(1-l.Headroom)) / l.coresOfOne())
}

func (l load) byMemory() float64 {
	return math.Ceil(l.sessionBytes() / (1 - l.Headroom) / (l.StoreMemory * (1 << 30)))
}

func (l load) stores() float64 {
	if l.kind.Store() == "" {
		return 0
	}
	return max(1, l.byCPU(), l.byMemory())
}

func (l load) storeCores() float64 {
	return max(math.Ceil(l.storeWork()/(1-l.Headroom)), l.stores())
}

// sessionBytes is what all sessions take where the server keeps them.
func (l load) sessionBytes() float64 { return l.sessions() * l.bytes }

// inUse is the mean number of connections to the store that are in use.
func (l load) inUse() float64 {
	if l.kind.Store() == "" {
		return 0
	}
	free := 1 - l.storeWork()/l.storeCores()
	return l.Rate * (l.RoundTrip.Seconds() + l.demand.Store*(1+l.writing())/free)
}

func (l load) coreHours() float64 {
	return (l.replicas() + l.balancerCores() + l.storeCores()) / (l.Rate * 3600) * 1e6
}

func (l load) cost() float64 {
	return ((l.nodes()+l.balancerNodes())*l.PriceNode + l.storeCores()*l.PriceStore) / (l.Rate * 3600) * 1e6
}

func atLeastOne(v float64) float64 { return max(v, 1) }
