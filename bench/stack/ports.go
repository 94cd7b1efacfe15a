package stack

import (
	"fmt"
	"net"
)

// freePorts finds n loopback addresses that nobody listens on right now.
func freePorts(n int) ([]string, error) {
	var addr []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // not before all are found, so that they differ
		addr = append(addr, l.Addr().String())
	}
	return addr, nil
}
