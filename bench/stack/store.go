package stack

import (
	"context"
	"slices"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// storesOf are those that stand beside a system: its arm's, and PostgreSQL where
// its accounts live there.
func storesOf(s trial.System) []arm.StoreUse {
	kind := arm.Of(s.Arm)
	if there, _ := kind.Uses("postgres"); !there && s.Server[trial.SettingAccounts] == "postgres" {
		return append(slices.Clone(kind.Stores), arm.StoreUse{Store: "postgres"})
	}
	return kind.Stores
}

// startStore starts the system's stores that do not run yet. One that only stands
// there (see arm.StoreUse) is no component that is accounted for, so none of its
// idling is charged to the arm; but its counters are read, and faults find it.
func (n *Runtime) startStore(ctx context.Context, s *Stack, spec trial.CellSpec) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, use := range storesOf(spec.System) {
		var component *Component
		var err error
		switch use.Store {
		case "redis":
			if err := n.startRedis(ctx); err != nil {
				return err
			}
			s.RedisURL, component = n.redis.url, n.redis.component
			err = n.redis.proxied(spec, askRedis)
			s.redis = n.redis.forReplicas()
		case "postgres":
			if err := n.startPostgres(ctx); err != nil {
				return err
			}
			s.PostgresURL, component = n.postgres.url, n.postgres.component
			err = n.postgres.proxied(spec, n.postgres.ask)
			s.postgres = n.postgres.forReplicas()
		}
		if err != nil {
			return err
		}
		if use.Asked {
			s.Components = append(s.Components, component)
		} else {
			s.standby = append(s.standby, component)
		}
	}
	return nil
}

// holding is what the arm's store is known to hold. A JWT needs no store: its
// credentials are as good as on the first day.
func (n *Runtime) holding(spec trial.CellSpec) mintKey {
	switch arm.Of(spec.System.Arm).Store() {
	case "redis":
		return n.redis.holds
	case "postgres":
		return n.postgres.holds
	}
	return n.mintKey(spec)
}

func (n *Runtime) hold(spec trial.CellSpec, key mintKey) {
	switch arm.Of(spec.System.Arm).Store() {
	case "redis":
		n.redis.holds = key
	case "postgres":
		n.postgres.holds = key
	}
}

// empty makes the arm's store hold nothing.
func (n *Runtime) empty(ctx context.Context, spec trial.CellSpec) error {
	switch arm.Of(spec.System.Arm).Store() {
	case "redis":
		return n.redis.empty(ctx)
	case "postgres":
		return n.postgres.empty(ctx)
	}
	return nil
}

// clear has a k6 script start with no session at all, and with accounts as its
// replicas are about to make them.
func (n *Runtime) clear(ctx context.Context, spec trial.CellSpec) error {
	if !spec.Scripted() {
		return nil
	}
	if err := n.empty(ctx, spec); err != nil {
		return err
	}
	if spec.System.Server[trial.SettingAccounts] == "postgres" {
		return n.postgres.empty(ctx)
	}
	return nil
}

// settle brings the arm's store to rest before a trial.
func (n *Runtime) settle(ctx context.Context, spec trial.CellSpec) error {
	if arm.Of(spec.System.Arm).Store() == "postgres" {
		return n.postgres.do(ctx, "VACUUM (ANALYZE)", "CHECKPOINT")
	}
	return nil
}
