package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are the counters of one replica. The series of the hot path are
// looked up once, at start, so that a request pays for atomic additions only,
// and the same ones in every arm.
type Metrics struct {
	Registry *prometheus.Registry

	requests     *prometheus.CounterVec
	seconds      *prometheus.HistogramVec
	auth         *prometheus.CounterVec
	logins       *prometheus.CounterVec
	storeCalls   *prometheus.CounterVec
	storeSeconds *prometheus.HistogramVec

	authOK, authRefused, authFailed prometheus.Counter
}

// NewMetrics returns a registry of its own with the replica's metrics and
// those of the Go runtime and the process.
func NewMetrics() *Metrics {
	buckets := prometheus.ExponentialBuckets(25e-6, 2, 16) // 25 us to 0.8 s
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authbench_requests_total", Help: "Requests answered, by route and status."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "authbench_request_seconds", Help: "Time in the handler, by route.", Buckets: buckets}, []string{"route"}),
		auth: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authbench_auth_total", Help: "Credentials judged, by outcome: ok, refused, failed (could not tell)."}, []string{"outcome"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authbench_logins_total", Help: "Passwords judged, by outcome: ok, refused, limited (too many failures), busy."},
			[]string{"outcome"}),
		storeCalls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authbench_store_calls_total", Help: "Calls to a store, by store, operation and result (ok or error)."},
			[]string{"store", "op", "result"}),
		storeSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "authbench_store_call_seconds", Help: "Duration of calls to a store.", Buckets: buckets}, []string{"store", "op"}),
	}
	m.Registry.MustRegister(m.requests, m.seconds, m.auth, m.logins, m.storeCalls, m.storeSeconds,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.authOK = m.auth.WithLabelValues("ok")
	m.authRefused = m.auth.WithLabelValues("refused")
	m.authFailed = m.auth.WithLabelValues("failed")
	return m
}

// StoreObserver returns a function that counts one call to the store of this
// name, for session.Observe and its like. The ops it may be told of are named
// beforehand.
func (m *Metrics) StoreObserver(store string, ops ...string) func(op string, took time.Duration, err error) {
	type series struct {
		ok, failed prometheus.Counter
		seconds    prometheus.Observer
	}
	known := make(map[string]series, len(ops))
	for _, op := range ops {
		known[op] = series{
			ok:      m.storeCalls.WithLabelValues(store, op, "ok"),
			failed:  m.storeCalls.WithLabelValues(store, op, "error"),
			seconds: m.storeSeconds.WithLabelValues(store, op),
		}
	}
	return func(op string, took time.Duration, err error) {
		s := known[op]
		s.seconds.Observe(took.Seconds())
		if err != nil {
			s.failed.Inc()
		} else {
			s.ok.Inc()
		}
	}
}

// measured counts the requests of one route.
func (m *Metrics) measured(route string, next http.HandlerFunc) http.HandlerFunc {
	common := make(map[int]prometheus.Counter)
	for _, status := range []int{http.StatusOK, http.StatusNoContent, http.StatusUnauthorized, http.StatusServiceUnavailable} {
		common[status] = m.requests.WithLabelValues(route, strconv.Itoa(status))
	}
	seconds := m.seconds.WithLabelValues(route)
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		sw := statusWriter{ResponseWriter: w, status: http.StatusOK}
		next(&sw, r)
		seconds.Observe(time.Since(start).Seconds())
		if c, ok := common[sw.status]; ok {
			c.Inc()
		} else {
			m.requests.WithLabelValues(route, strconv.Itoa(sw.status)).Inc()
		}
	}
}

// statusWriter remembers the status that a handler answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
