package plan

import (
	"math"
	"slices"
	"testing"

	"authbench/bench/model"
	"authbench/bench/trial"
)

func TestScaling(t *testing.T) {
	demand := func(a trial.Arm, replica, store float64) Measured {
		m := Measured{Arm: a}
		for block := 1; block <= 4; block++ {
			d := model.Demand{Balancer: 25e-6, Replica: replica * 1e-6, Store: store * 1e-6}
			m.Starts = append(m.Starts, model.Start{Block: block, Demand: d})
		}
		return m
	}
	b := Basis{Arms: []Measured{demand(trial.Control, 50, 0), demand("session/redis", 80, 20), demand("session/postgres", 90, 60),
		demand("jwt/HS256", 60, 0), demand("jwt/ES256", 160, 0)}}
	curves, crossed, err := b.Scaling([]int{1, 4}, 64)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		arm         trial.Arm
		cores       int
		knee, limit float64
	}{{"session/redis", 1, 4, 50_000}, {"session/postgres", 1, 1.5, 1 / 60e-6}, {"jwt/HS256", 0, 0, 0}, {"jwt/ES256", 0, 0, 0},
		{"session/postgres", 4, 6, 4 / 60e-6}} {
		c := curves[i]
		if c.Arm != want.arm || c.StoreCores != want.cores || math.Abs(c.Knee.Estimate-want.knee) > 1e-9 ||
			math.Abs(c.Ceiling.Estimate-want.limit) > 1e-6*want.limit || c.Replicas[0] != 1 || c.Replicas[len(c.Replicas)-1] != 64 {
			t.Errorf("curve %d: %+v, want %+v", i, c, want)
		}
		for k, x := range c.Rate {
			if want.limit > 0 && x.Estimate > want.limit*(1+1e-9) {
				t.Errorf("%s with %d replicas serves more than its store", c.Arm, c.Replicas[k])
			}
		}
	}
	over := map[trial.Arm][]int{}
	for _, x := range crossed {
		over[x.Over] = append(over[x.Over], x.StoreCores)
		if x.Arm != "jwt/ES256" || x.Over == "session/redis" && math.Abs(x.From.Estimate-8) > 0.7 {
			t.Errorf("crossing %+v; want jwt/ES256 to overtake Redis at about 160/20 replicas", x)
		}
	}
	if len(curves) != 5 || len(crossed) != 3 || len(over["session/redis"]) != 1 || !slices.Equal(over["session/postgres"], []int{1, 4}) {
		t.Errorf("%d curves, crossings %v", len(curves), over)
	}
	if _, _, err := (Basis{Arms: []Measured{{Arm: "jwt/HS256"}}}).Scaling([]int{1}, 64); err == nil {
		t.Error("no error for an arm without a start")
	}
}
