package fault

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"authbench/bench/stack"
)

func fullKind() Kind {
	return Kind{Name: "full", on: []thing{stores}, only: []string{"redis"},
		Does: "lowers Redis' bound on memory until it is reached",
		Settings: []Setting{
			{"policy", "what Redis does then: noeviction (it refuses writes; the default), or allkeys-lru (it forgets what was long not used)"},
			{"left", "with allkeys-lru, how much of what it holds is left as the fault begins: 0% to 99% of its keys; without it 50%"},
		}, open: openFull}
}

func openFull(target string, with settings) (Fault, error) {
	policy, err := with.oneOf("policy", "noeviction", "allkeys-lru")
	if err != nil {
		return nil, err
	}
	left, given := with.values["left"]
	if policy == "noeviction" {
		if given {
			return nil, errors.New("left goes with policy=allkeys-lru: else all is left")
		}
		return trouble{target, stack.Trouble{Name: stack.Full}}, nil
	}
	percent := 50
	if given {
		digits, ok := strings.CutSuffix(left, "%")
		if percent, err = strconv.Atoi(digits); !ok || err != nil || percent < 0 || percent > 99 {
			return nil, fmt.Errorf("left=%s: want 0%% to 99%%", left)
		}
	}
	return trouble{target, stack.Trouble{Name: stack.Evicting, Left: float64(percent) / 100}}, nil
}
