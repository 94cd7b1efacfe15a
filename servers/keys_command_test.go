package main

import (
	"errors"
	"flag"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestJ12_KeysByHand rotates keys under a running replica by the command alone.
func TestJ12_KeysByHand(t *testing.T) {
	eachCell(t, "J12", func(t *testing.T, arm, _ string) { keysByHand(t, arm) })
}

func keysByHand(t *testing.T, arm string) {
	keys, alg := t.TempDir(), alg(t, arm)
	r := start(t, append(flagsOf(t, kindNamed(t, arm)), "-keys", keys, "-keys-poll", "10ms")...)
	run := func(args ...string) (string, error) {
		var out strings.Builder
		err := keysCommand(t.Context(), append(args, "-keys", keys, "-alg", alg), &out)
		return strings.TrimSpace(out.String()), err
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := run(args...)
		if err != nil {
			t.Fatalf("keys %v: %v", args, err)
		}
		return out
	}
	before := r.mustLogin("user-000001")
	first := r.signsBy()
	staged := must("stage")
	byStaged := newForger(t, keys, alg, before.bearer).by(staged, filepath.Join(keys, alg+"-"+staged+".key"))
	eventually(t, "the replica knows the staged key", func() bool { return r.me(held{bearer: byStaged.fresh()}).StatusCode == http.StatusOK })
	if _, err := run("promote", "-kid", staged, "-settle", "1h"); err == nil {
		t.Error("promoted a key that has not settled")
	}
	must("promote", "-kid", staged, "-settle", "0s", "-life", "1h")
	eventually(t, "it signs by the new key", func() bool { return r.signsBy() == staged })
	wantStatus(t, "a token of before", r.me(before), http.StatusOK)
	if n := must("retire"); n != "0" {
		t.Errorf("retired %s keys, whose tokens live", n)
	}
	next := must("rotate", "-settle", "10ms")
	eventually(t, "it signs by the rotated key", func() bool { return r.signsBy() == next })
	must("remove", "-kid", first)
	eventually(t, "tokens of a removed key are refused", func() bool { return r.me(before).StatusCode == http.StatusUnauthorized })
}

func TestKeysCommandRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"stage":                   "-keys",
		"stage -keys d -alg none": "unknown algorithm",
		"promote -keys d":         "-kid",
		"remove -keys d":          "-kid",
		"remove -keys d -kid x":   "d",
		"burn -keys d":            "unknown action",
		"stage -keys d now":       "unexpected argument",
		"rotate -keys d -life 0s": "-life",
	} {
		var out strings.Builder
		err := keysCommand(t.Context(), strings.Fields(args), &out)
		if err == nil || !strings.Contains(err.Error(), want) || out.Len() != 0 {
			t.Errorf("keys %s: %v, output %q; want an error with %q", args, err, out.String(), want)
		}
	}
	var out strings.Builder
	if err := keysCommand(t.Context(), []string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-settle") {
		t.Errorf("-h: %v, %s", err, out.String())
	}
}
