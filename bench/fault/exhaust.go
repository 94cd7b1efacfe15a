package fault

import "authbench/bench/stack"

func exhaustKind() Kind {
	return Kind{Name: "exhaust", on: []thing{stores},
		Does: "takes every connection that a store gives out, those in the replicas' pools too, and gives them back at the end",
		open: func(target string, _ settings) (Fault, error) {
			return trouble{target, stack.Trouble{Name: stack.Crowded}}, nil
		}}
}
