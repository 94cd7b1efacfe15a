package fault

import "authbench/bench/stack"

func removeKind() Kind {
	return Kind{Name: "remove", on: []thing{keys},
		Does: "ends the key that signs, as if strangers knew it: its tokens are refused from then on; it is not undone",
		open: func(string, settings) (Fault, error) { return &change{to: (*stack.Stack).RemoveKey}, nil }}
}
