package experiment

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// Profile says how thoroughly to measure. A configuration file may override
// single settings of a named profile.
type Profile struct {
	Name string `yaml:"-"`

	Users       int `yaml:"users"`       // distinct credentials of a driver trial
	Resident    int `yaml:"resident"`    // sessions in a shared store
	Connections int `yaml:"connections"` // of the driver, to the balancer
	Sources     int `yaml:"sources"`     // /24 networks that requests come from

	MinutesAtMost float64 `yaml:"minutes_at_most"` // no trial begins later, and what is left can be resumed; 0 sets no limit

	CostRate        float64     `yaml:"cost_rate"` // requests/s at the common load, the same in every run; 0: what calibration finds
	CostBlocks      int         `yaml:"cost_blocks"`
	CostStepSeconds float64     `yaml:"cost_step_seconds"`
	CostLoads       []int       `yaml:"cost_loads"` // percent of a CPU that the heaviest duet keeps busy, below those of the common rate
	CostArms        []trial.Arm `yaml:"cost_arms"`  // besides the control

	ScaleBlocks          int         `yaml:"scale_blocks"`
	ScaleArms            []trial.Arm `yaml:"scale_arms"`            // besides the control
	ScaleGrowthReplicas  int         `yaml:"scale_growth_replicas"` // that are set against 1, of arm and control
	ScaleRate            float64     `yaml:"scale_rate"`            // of either of these, requests/s in all
	ScaleReplicas        []int       `yaml:"scale_replicas"`        // of the small model
	ScaleStepSeconds     float64     `yaml:"scale_step_seconds"`    // of every step, and of each try of the search
	ScaleSearchSteps     int         `yaml:"scale_search_steps"`    // tries at most of a search for the capacity; 0 makes none
	ScaleReplicaCPU      float64     `yaml:"scale_replica_cpu"`     // budget of one replica of the small model, in CPUs; 1 where CPUs are many
	ScaleStoreCPU        float64     `yaml:"scale_store_cpu"`       // of its store; up to twice as much as the bottleneck
	ScaleP99Milliseconds float64     `yaml:"scale_p99_milliseconds"`

	StickyBlocks    int              `yaml:"sticky_blocks"`
	StickyReplicas  []int            `yaml:"sticky_replicas"`
	StickyRequests  int              `yaml:"sticky_requests"`  // of memory without stickiness, by few users
	StickyUsers     int              `yaml:"sticky_users"`     // of other cells, where none should lose a session, with 2 requests each
	StickyBalancers []trial.Balancer `yaml:"sticky_balancers"` // that the memory store stands behind

	RevokeBlocks    int      `yaml:"revoke_blocks"`
	RevokeUsers     int      `yaml:"revoke_users"`     // who log out of a session arm, in all blocks together
	RevokeLifetimes []string `yaml:"revoke_lifetimes"` // of JWTs, such as 2s

	TheftBlocks      int         `yaml:"theft_blocks"`
	TheftUsers       int         `yaml:"theft_users"` // of an arm whose credentials end at once, for each change, in all blocks together
	TheftArms        []trial.Arm `yaml:"theft_arms"`  // none leaves the experiment out
	RoleChangeBlocks int         `yaml:"role_change_blocks"`
	RoleChangeUsers  int         `yaml:"role_change_users"` // as in theft
	RoleChangeArms   []trial.Arm `yaml:"role_change_arms"`  // none leaves the experiment out

	OutageBlocks int         `yaml:"outage_blocks"`
	OutageArms   []trial.Arm `yaml:"outage_arms"`
	OutageFaults []string    `yaml:"outage_faults"` // of those in outage.go

	BenchTime  string `yaml:"bench_time"` // of one Go micro-benchmark, as go test -benchtime takes it
	BenchCount int    `yaml:"bench_count"`
}

// Profiles lists the named profiles: smoke shows that everything works,
// standard gives verdicts in minutes, full gives narrow intervals.
func Profiles() []Profile {
	standard := Profile{
		Name: "standard", Users: 10_000, Resident: 100_000, Connections: 64, Sources: 16,
		CostBlocks: 8, CostStepSeconds: 1.5,
		CostArms:    []trial.Arm{"session/memory", "session/redis", "session/postgres", "jwt/HS256", "jwt/RS256", "jwt/ES256", "jwt/EdDSA"},
		ScaleBlocks: 4, ScaleGrowthReplicas: 8, ScaleRate: 500, ScaleReplicas: []int{1, 4}, ScaleStepSeconds: 1,
		ScaleArms:       []trial.Arm{"session/memory", "session/redis", "session/postgres", "jwt/HS256", "jwt/ES256"},
		ScaleReplicaCPU: 0.05, ScaleStoreCPU: 0.05, ScaleP99Milliseconds: 250,
		StickyBlocks: 1, StickyReplicas: []int{2, 3, 4}, StickyRequests: 16_000, StickyUsers: 3_000, StickyBalancers: trial.Balancers(),
		RevokeBlocks: 3, RevokeUsers: 420, RevokeLifetimes: []string{"2s", "3s"},
		TheftBlocks: 1, TheftUsers: 450, TheftArms: []trial.Arm{"session/memory", "session/redis", "session/cookie", "jwt/HS256"},
		RoleChangeBlocks: 1, RoleChangeUsers: 380, RoleChangeArms: []trial.Arm{"session/memory", "session/redis", "jwt/HS256"},
		OutageBlocks: 1, OutageArms: []trial.Arm{"session/memory", "session/redis", "session/postgres", "jwt/HS256"},
		OutageFaults: []string{"kill", "hang", "slow", "restart-empty", "evict", "full"},
		BenchTime:    "50ms", BenchCount: 6,
	}
	smoke := standard
	smoke.Name, smoke.Resident, smoke.MinutesAtMost = "smoke", 10_000, 2
	smoke.CostRate, smoke.CostBlocks, smoke.CostStepSeconds = 500, 2, 0.5
	smoke.CostArms = []trial.Arm{"session/memory", "session/redis", "jwt/HS256", "jwt/ES256"}
	smoke.ScaleBlocks, smoke.ScaleGrowthReplicas, smoke.ScaleReplicas, smoke.ScaleStepSeconds = 2, 2, []int{1, 2}, 0.5
	smoke.ScaleArms = []trial.Arm{inRedis}
	smoke.StickyReplicas, smoke.StickyRequests, smoke.StickyUsers = []int{2}, 10_000, 400
	smoke.RevokeBlocks, smoke.RevokeUsers, smoke.RevokeLifetimes = 2, 320, []string{"2s"}
	smoke.TheftArms, smoke.RoleChangeArms = nil, nil // there is no room for them in two minutes
	smoke.OutageArms, smoke.OutageFaults = []trial.Arm{"session/redis", "jwt/HS256"}, []string{"kill"}
	smoke.BenchTime, smoke.BenchCount = "5ms", 2
	full := standard
	full.Name = "full"
	full.CostBlocks, full.CostStepSeconds, full.CostLoads = 24, 3, []int{15, 30, 45}
	full.CostArms = append(slices.Clone(standard.CostArms), "session/postgres-unlogged", "session/cookie", "jwt/HS256+denylist")
	full.ScaleBlocks, full.ScaleReplicas, full.ScaleStepSeconds, full.ScaleSearchSteps = 8, []int{1, 4, 8}, 5, 40
	full.StickyBlocks, full.StickyRequests = 5, 20_000
	full.RevokeBlocks, full.RevokeLifetimes = 6, []string{"2s", "5s", "15s"}
	full.TheftBlocks, full.TheftUsers, full.RoleChangeBlocks = 3, 600, 3
	full.TheftArms = append(slices.Clone(standard.TheftArms), "session/postgres", "jwt/ES256", "jwt/HS256+denylist")
	full.RoleChangeArms = full.TheftArms
	full.OutageBlocks, full.OutageArms, full.OutageFaults = 5, nil, nil
	for _, k := range arm.All() {
		if k.Name != trial.Control { // which has no users to lock out
			full.OutageArms = append(full.OutageArms, k.Name)
		}
	}
	for _, b := range outageFaults() {
		full.OutageFaults = append(full.OutageFaults, b.name)
	}
	full.BenchTime, full.BenchCount = "1s", 10
	return []Profile{smoke, standard, full}
}

// ParseProfile finds a profile by name.
func ParseProfile(name string) (Profile, error) {
	for _, p := range Profiles() {
		if p.Name == name {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("unknown profile %q: want smoke, standard or full", name)
}

// Override reads settings from a YAML file over the profile. An unknown key or
// a value of the wrong type is an error with file, line and column.
func (p *Profile) Override(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	var whole any
	if err := yaml.Unmarshal(b, &whole); err == nil && whole == nil {
		return nil // comments alone, which the decoder would take for a profile of zeros
	}
	if err := yaml.UnmarshalWithOptions(b, p, yaml.Strict()); err != nil {
		return fmt.Errorf("configuration file %s: %s", path, strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	if err := p.Check(); err != nil {
		return fmt.Errorf("configuration file %s: %w", path, err)
	}
	return nil
}

// Check says everything that is wrong with the settings.
func (p *Profile) Check() error {
	var errs []error
	atLeast := func(key string, v, low float64) {
		if !(v >= low) {
			errs = append(errs, fmt.Errorf("%s is %v: at least %v is needed", key, v, low))
		}
	}
	atLeast("users", float64(p.Users), 1)
	atLeast("resident", float64(p.Resident), float64(p.Users))
	atLeast("connections", float64(p.Connections), 1)
	atLeast("sources", float64(p.Sources), 1)
	atLeast("minutes_at_most", p.MinutesAtMost, 0)
	atLeast("cost_rate", p.CostRate, 0)
	atLeast("cost_blocks", float64(p.CostBlocks), 1)
	atLeast("cost_step_seconds", p.CostStepSeconds, 0.1)
	atLeast("scale_blocks", float64(p.ScaleBlocks), 1)
	atLeast("scale_step_seconds", p.ScaleStepSeconds, 0.1)
	atLeast("scale_growth_replicas", float64(p.ScaleGrowthReplicas), 2)
	atLeast("scale_rate", p.ScaleRate, 1)
	atLeast("scale_replica_cpu", p.ScaleReplicaCPU, 0.05) // whose quota is 10 ms in a period of 200 ms
	atLeast("scale_store_cpu", p.ScaleStoreCPU, 0.05)
	atLeast("scale_p99_milliseconds", p.ScaleP99Milliseconds, 1)
	atLeast("sticky_blocks", float64(p.StickyBlocks), 1)
	atLeast("sticky_requests", float64(p.StickyRequests), 100)
	atLeast("sticky_users", float64(p.StickyUsers), 1)
	atLeast("revoke_blocks", float64(p.RevokeBlocks), 1)
	atLeast("revoke_users", float64(p.RevokeUsers), 1)
	atLeast("theft_blocks", float64(p.TheftBlocks), 1)
	atLeast("theft_users", float64(p.TheftUsers), 1)
	atLeast("role_change_blocks", float64(p.RoleChangeBlocks), 1)
	atLeast("role_change_users", float64(p.RoleChangeUsers), 1)
	atLeast("outage_blocks", float64(p.OutageBlocks), 1)
	atLeast("the length of outage_arms", float64(len(p.OutageArms)), 1)
	atLeast("the length of outage_faults", float64(len(p.OutageFaults)), 1)
	for i, kind := range p.OutageFaults {
		if _, err := outageFault(kind); err != nil {
			errs = append(errs, err)
		} else if slices.Contains(p.OutageFaults[:i], kind) {
			errs = append(errs, fmt.Errorf("outage_faults is %v: each value once", p.OutageFaults))
		}
	}
	atLeast("bench_count", float64(p.BenchCount), 1)
	atLeast("the length of scale_replicas", float64(len(p.ScaleReplicas)), 1)
	atLeast("the length of scale_arms", float64(len(p.ScaleArms)), 1)
	atLeast("the length of cost_arms", float64(len(p.CostArms)), 1)
	if !slices.Contains(p.ScaleReplicas, 1) || slices.Max(p.ScaleReplicas) < 2 {
		errs = append(errs, fmt.Errorf("scale_replicas is %v: it needs 1, which the others are predicted from, and something above it",
			p.ScaleReplicas))
	}
	if slices.Contains(p.StickyReplicas, 1) {
		errs = append(errs, errors.New("sticky_replicas holds 1: a single replica loses no session, whatever the balancer"))
	}
	if p.Sources > min(254, p.Connections) {
		errs = append(errs, fmt.Errorf("sources is %d: at most 254, and at most as many as connections (%d)", p.Sources, p.Connections))
	}
	if d, err := time.ParseDuration(p.BenchTime); (err != nil || d <= 0) && !strings.HasSuffix(p.BenchTime, "x") {
		errs = append(errs, fmt.Errorf("bench_time is %q: a duration such as 50ms, or a count such as 10x", p.BenchTime))
	}
	for key, list := range map[string][]int{"cost_loads": p.CostLoads, "scale_replicas": p.ScaleReplicas,
		"sticky_replicas": p.StickyReplicas} {
		if s := slices.Sorted(slices.Values(list)); len(slices.Compact(s)) != len(list) {
			errs = append(errs, fmt.Errorf("%s is %v: each value once", key, list))
		}
	}
	if !slices.Contains(p.StickyBalancers, trial.RoundRobin) {
		errs = append(errs, fmt.Errorf("sticky_balancers is %v: it needs round_robin, which does not stick", p.StickyBalancers))
	}
	for i, b := range p.StickyBalancers {
		if _, err := trial.ParseBalancer(string(b)); err != nil {
			errs = append(errs, err)
		} else if slices.Contains(p.StickyBalancers[:i], b) {
			errs = append(errs, fmt.Errorf("sticky_balancers is %v: each value once", p.StickyBalancers))
		}
	}
	atLeast("the length of sticky_replicas", float64(len(p.StickyReplicas)), 1)
	atLeast("the length of revoke_lifetimes", float64(len(p.RevokeLifetimes)), 1)
	for _, n := range append(slices.Concat(p.ScaleReplicas, p.StickyReplicas), p.ScaleGrowthReplicas) {
		if n < 1 || n > 64 {
			errs = append(errs, fmt.Errorf("a replica count of %d: want 1 to 64", n))
		}
	}
	for _, l := range p.CostLoads {
		if l < 1 || l >= commonLoad {
			errs = append(errs, fmt.Errorf("cost_loads holds %d: want 1 to %d percent, below the common rate's %d", l, commonLoad-1, commonLoad))
		}
	}
	for key, list := range map[string][]trial.Arm{"outage_arms": p.OutageArms, "theft_arms": p.TheftArms,
		"role_change_arms": p.RoleChangeArms} {
		for i, name := range list {
			if _, err := arm.Lookup(name); err != nil {
				errs = append(errs, err)
			} else if name == trial.Control {
				errs = append(errs, fmt.Errorf("%s holds none: the control has no users to lock out", key))
			} else if slices.Contains(list[:i], name) {
				errs = append(errs, fmt.Errorf("%s is %v: each value once", key, list))
			}
		}
	}
	for _, name := range slices.Concat(p.CostArms, p.ScaleArms) {
		if _, err := arm.Lookup(name); err != nil {
			errs = append(errs, err)
		} else if name == trial.Control {
			errs = append(errs, errors.New("the arm none is the control and always runs: leave it out of cost_arms and scale_arms"))
		}
	}
	for _, l := range p.RevokeLifetimes {
		if _, err := parseLifetime(l); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// parseLifetime reads a JWT's lifetime for the revoke experiment. A token counts
// in whole seconds.
func parseLifetime(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second || d > time.Minute || d%time.Second != 0 {
		return 0, fmt.Errorf("revoke_lifetimes holds %q: want a whole number of seconds from 1s to 60s", s)
	}
	return d, nil
}

// lifetimes are RevokeLifetimes, which Check has found good.
func (p *Profile) lifetimes() []time.Duration {
	var ds []time.Duration
	for _, l := range p.RevokeLifetimes {
		if d, err := parseLifetime(l); err == nil {
			ds = append(ds, d)
		}
	}
	return ds
}
