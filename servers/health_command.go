package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// healthTimeout is shorter than anybody waits for a health check.
const healthTimeout = 2 * time.Second

const healthUsage = `server health [URL]: ask a replica on this machine whether it is ready.

Without a URL it is /readyz at the address in ` + envPrefix + `LISTEN. Status 0 if the
answer is 200, else 1 and why. For containers without a shell or curl.
`

// healthCommand runs `server health`: args are what follows. It returns nil if
// the replica answers 200.
func healthCommand(ctx context.Context, args []string, getenv func(string) (string, bool), stdout io.Writer) error {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help") {
		fmt.Fprint(stdout, healthUsage)
		return flag.ErrHelp
	}
	if len(args) > 1 {
		return fmt.Errorf("unexpected argument %q, see server health -h", args[1])
	}
	var url string
	if len(args) == 1 {
		url = args[0]
	} else {
		var err error
		if url, err = ownReadiness(getenv); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	// No proxy: the replica is here.
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: no answer within %v", url, healthTimeout)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		return fmt.Errorf("%s: %s: %s", url, resp.Status, body)
	}
	return nil
}

// ownReadiness is /readyz of the replica that has the same environment. One
// that listens everywhere is asked on loopback.
func ownReadiness(getenv func(string) (string, bool)) (string, error) {
	listen, ok := getenv(envName("listen"))
	if !ok {
		return "", fmt.Errorf("want a URL, or the replica's address in %s", envName("listen"))
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("%s: %w", envName("listen"), err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz", nil
}
