package api

import (
	"net/http/httptest"
	"testing"

	"authbench/servers/auth"
)

// BenchmarkMe is what the handler costs beside authentication: routing,
// counting, writing the body.
func BenchmarkMe(b *testing.B) {
	cfg := Config{Auth: auth.None{}, Transport: Transport{Carrier: CarrierNone, Cookie: "session"}, Replica: "r1", Metrics: NewMetrics()}
	a := New(cfg)
	r, w := httptest.NewRequest("GET", "/me", nil), httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		w.Body.Reset()
		a.ServeHTTP(w, r)
	}
}
