package stack

import (
	"encoding/json"
	"testing"

	"authbench/bench/process"
)

func TestASiteAnswersFromItsConfiguration(t *testing.T) {
	l, _, err := process.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const answer = `{"sub":"user-000000","replica":"r1"}`
	s, err := StartSite(t.Context(), l, lastCPU(t), answer)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/me", "/login?x=1"} {
		resp, err := get(t.Context(), s.URL+path, nil)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		var got json.RawMessage
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || string(got) != answer ||
			resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s answers %s as %q, %v", path, got, resp.Header.Get("Content-Type"), err)
		}
	}
	if cpu, err := s.Components[0].CPU(); err != nil || cpu <= 0 {
		t.Errorf("nginx has used %g s of CPU, %v", cpu, err)
	}
	if err := s.Down(t.Context()); err != nil {
		t.Errorf("Down: %v", err)
	}
	if err := answers(t.Context(), s.URL); err == nil {
		t.Error("nginx still answers after Down")
	}
	for _, bad := range []string{"it's", "$remote_addr"} {
		if _, err := StartSite(t.Context(), l, lastCPU(t), bad); err == nil {
			t.Errorf("the answer %q was accepted, which nginx would not send as it is", bad)
		}
	}
}
