package fault

import "authbench/bench/stack"

func readOnlyKind() Kind {
	return Kind{Name: "readonly", on: []thing{stores},
		Does: "makes a store refuse writes: Redis as a replica (READONLY), PostgreSQL by default_transaction_read_only",
		open: func(target string, _ settings) (Fault, error) {
			return trouble{target, stack.Trouble{Name: stack.ReadOnly}}, nil
		}}
}
