package main

import (
	"fmt"
	"net/http"
	"testing"
)

// private sends a request to the private listener with more headers.
func (r *replica) private(method, path, body string, headers http.Header) answer {
	r.t.Helper()
	return r.ask(method, r.Private+path, body, held{}, headers)
}

const mintOne = `{"users":1}`

func TestG23_ForeignHostsAreRefused(t *testing.T) {
	eachArm(t, "G23", func(s *site) {
		r := s.r[0]
		for host, want := range map[string]int{
			"": http.StatusOK, "localhost": http.StatusOK, "LOCALHOST:1": http.StatusOK, "127.0.0.1": http.StatusOK, "127.9.9.9:80": http.StatusOK,
			"[::1]:9": http.StatusOK, "metrics.example:9090": http.StatusOK, "r1": http.StatusOK,
			"evil.example": http.StatusForbidden, "evil.example:9090": http.StatusForbidden, "localhost.evil.example": http.StatusForbidden,
			"127.0.0.1.evil.example": http.StatusForbidden, "x.localhost": http.StatusForbidden, "10.1.2.3": http.StatusForbidden,
			"[::ffff:10.1.2.3]:1": http.StatusForbidden,
			"0.0.0.0":             http.StatusForbidden, "r": http.StatusForbidden, "r1.": http.StatusForbidden, "2130706433": http.StatusForbidden,
		} {
			h := http.Header{"Host": {host}}
			wantStatus(s.T, "metrics by "+host, r.private("GET", "/metrics", "", h), want)
			wantStatus(s.T, "config by "+host, r.private("GET", "/config", "", h), want)
			wantStatus(s.T, "mint by "+host, r.private("POST", "/mint", mintOne, h), want)
		}
		wantProblem(s.T, r.private("GET", "/config", "", http.Header{"Host": {"evil.example"}}), http.StatusForbidden)
	}, "-private-hosts", "r1,metrics.example")
}

func TestG23_CrossSiteMintingIsRefused(t *testing.T) {
	eachArm(t, "G23", func(s *site) {
		r := s.r[0]
		for _, h := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}},
			{"Origin": {"https://evil.example"}}, {"Origin": {"null"}}} {
			wantProblem(s.T, r.private("POST", "/mint", mintOne, h), http.StatusForbidden)
		}
		wantStatus(s.T, "from its own site", r.private("POST", "/mint", mintOne, http.Header{"Origin": {"http://" + r.Private}}), http.StatusOK)
	})
}

func TestG23_MintingTakesJSONWithinItsBounds(t *testing.T) {
	eachArm(t, "G23", func(s *site) {
		r := s.r[0]
		for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
			"application/jsonp"} {
			wantStatus(s.T, "media type "+media, r.private("POST", "/mint", mintOne, http.Header{"Content-Type": {media}}),
				http.StatusUnsupportedMediaType)
		}
		const most = 1_000_000
		for _, body := range []string{
			`{"users":9223372036854775807,"first":9223372036854775807}`, `{"users":1,"first":9223372036854775807}`, `{"users":9223372036854775807}`,
			`{"users":18446744073709551617}`, `{"users":1e3}`, `{"users":1.0}`, `{"users":"1"}`, `{"users":null}`, `{"Users":1}`,
			`{"users":1,"users":1}`,
			`{"users":1}{"users":1}`, `[{"users":1}]`, fmt.Sprintf(`{"users":1,"first":%d}`, most), fmt.Sprintf(`{"users":%d,"first":1}`, most),
		} {
			wantStatus(s.T, body, r.private("POST", "/mint", body, nil), http.StatusBadRequest)
		}
		if lines := r.mint(fmt.Sprintf(`{"users":1,"first":%d}`, most-1)); len(lines) != 1 {
			s.Errorf("the last user: %d lines", len(lines))
		}
	})
}
