package main

import (
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func noEnv(string) (string, bool) { return "", false }

// TestHealthCommand asks a replica that is ready, and a port where nobody is.
func TestHealthCommand(t *testing.T) {
	r := start(t, "-auth", "session")
	listens := func(name string) (string, bool) { return r.Listen, name == "AUTHBENCH_LISTEN" }
	url := "http://" + r.Listen + "/readyz"
	if err := healthCommand(t.Context(), []string{url}, noEnv, io.Discard); err != nil {
		t.Errorf("health %s: %v", url, err)
	}
	if err := healthCommand(t.Context(), nil, listens, io.Discard); err != nil {
		t.Errorf("health by environment: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := healthCommand(t.Context(), []string{"http://" + l.Addr().String()}, noEnv, io.Discard); err == nil ||
		!strings.Contains(err.Error(), "refused") {
		t.Errorf("health where nobody listens: %v", err)
	}
}

func TestHealthCommandOnlyTakes200(t *testing.T) {
	for status, want := range map[int]bool{200: true, 204: false, 302: false, 401: false, 503: false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}))
		err := healthCommand(t.Context(), []string{s.URL}, noEnv, io.Discard)
		s.Close()
		if (err == nil) != want {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

// TestHealthCommandDoesNotHang asks somebody who takes the call and is silent.
func TestHealthCommandDoesNotHang(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	begun := time.Now()
	err = healthCommand(t.Context(), []string{"http://" + l.Addr().String()}, noEnv, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "no answer within") || time.Since(begun) > healthTimeout+5*time.Second {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}

func TestHealthCommandRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"":                  "AUTHBENCH_LISTEN",
		"http://a http://b": "unexpected argument",
		"127.0.0.1:8080":    "127.0.0.1:8080",
		"ftp://127.0.0.1/":  "unsupported protocol scheme",
	} {
		if err := healthCommand(t.Context(), strings.Fields(args), noEnv, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("health %s: %v, want an error with %q", args, err, want)
		}
	}
	var out strings.Builder
	if err := healthCommand(t.Context(), []string{"-h"}, noEnv, &out); !errors.Is(err, flag.ErrHelp) ||
		!strings.Contains(out.String(), "/readyz") {
		t.Errorf("-h: %v, %s", err, out.String())
	}
}

func TestOwnReadiness(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0:8001":   "http://localhost:8001/readyz",
		":8001":          "http://localhost:8001/readyz",
		"[::]:8001":      "http://localhost:8001/readyz",
		"127.0.0.1:8001": "http://127.0.0.1:8001/readyz",
	} {
		got, err := ownReadiness(func(string) (string, bool) { return listen, true })
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", listen, got, err, want)
		}
	}
	if _, err := ownReadiness(func(string) (string, bool) { return "8001", true }); err == nil {
		t.Error("took an address without a host")
	}
}
