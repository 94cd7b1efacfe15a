package fault

func restartKind() Kind {
	return Kind{Name: "restart", on: []thing{stores, replicas, balancer}, Does: "ends a component politely and starts it again at the end",
		Settings: []Setting{dataSetting}, open: func(target string, with settings) (Fault, error) { return openHalt(target, true, with) }}
}
