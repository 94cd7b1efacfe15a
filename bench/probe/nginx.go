package probe

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// nginxSource reads stub_status: nginx_requests, and nginx_connections that
// clients have opened.
type nginxSource struct {
	url    string
	client *http.Client
	own    float64 // readings, each a request on a connection of its own
}

func openNginx(_ context.Context, url string) (source, error) {
	// A kept connection would be closed by nginx at a time of its own choosing.
	return &nginxSource{url: url, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}, nil
}

func (n *nginxSource) read(ctx context.Context, counters map[string]float64) (life string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url, nil)
	if err != nil {
		return "", wrong("nginx", err)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return "", wrong("nginx", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return "", wrong("nginx", err)
	}
	n.own++
	var accepted, handled, requests float64
	_, after, found := strings.Cut(string(body), "requests") // the line below the heading that ends so
	if _, err := fmt.Sscan(after, &accepted, &handled, &requests); !found || err != nil || resp.StatusCode != http.StatusOK {
		return "", wrong("nginx", fmt.Errorf("%s answers %s and %q, which is no stub_status", n.url, resp.Status, body))
	}
	counters["nginx_requests"] = requests - n.own
	counters["nginx_connections"] = accepted - n.own
	return "", nil // it does not say
}

func (n *nginxSource) close() error { return nil }
