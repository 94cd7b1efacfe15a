package report

import (
	"strings"
	"testing"

	"authbench/bench/trial"
)

// A report opens with what is asked first: decided, and no two by one metric.
func TestTheOpeningIsWhatIsAskedFirst(t *testing.T) {
	for name, c := range map[string]struct {
		verdicts []trial.Verdict
		want     string
	}{
		"asked first before the rest": {[]trial.Verdict{
			{Rule: trial.Rule{Claim: "C01", Metric: "request_bytes"}, Judgement: trial.Judgement{Answer: trial.Supported}},
			{Rule: trial.Rule{Claim: "C02", Metric: "lost_session_share"}, Judgement: trial.Judgement{Answer: trial.Partly}},
			{Rule: trial.Rule{Claim: "C03", Metric: "auth_cpu_us"}, Judgement: trial.Judgement{Answer: trial.Refuted}}}, "C03 C02 C01"},
		"one of a metric, three in all": {[]trial.Verdict{
			{Rule: trial.Rule{Claim: "C01", Metric: "lost_session_share"}, Judgement: trial.Judgement{Answer: trial.Depends}},
			{Rule: trial.Rule{Claim: "C02", Metric: "lost_session_share"}, Judgement: trial.Judgement{Answer: trial.Supported}},
			{Rule: trial.Rule{Claim: "C03", Metric: "request_bytes"}, Judgement: trial.Judgement{Answer: trial.Supported}},
			{Rule: trial.Rule{Claim: "C04", Metric: "latency_p50_us"}, Judgement: trial.Judgement{Answer: trial.Supported}},
			{Rule: trial.Rule{Claim: "C05", Metric: "latency_p99_us"}, Judgement: trial.Judgement{Answer: trial.Supported}}}, "C01 C03 C04"},
		"nothing open, nothing that is true by construction": {[]trial.Verdict{
			{Rule: trial.Rule{Claim: "C01", Metric: "auth_cpu_us"}, Judgement: trial.Judgement{Answer: trial.NotDecided}},
			{Rule: trial.Rule{Claim: "C02", Metric: "outage_availability"}, Judgement: trial.Judgement{Answer: trial.NotMeasured}},
			{Rule: trial.Rule{Claim: "C03", Metric: "request_bytes", Checked: true}, Judgement: trial.Judgement{Answer: trial.Supported}}}, ""},
	} {
		var got []string
		for _, v := range openingVerdicts(c.verdicts) {
			got = append(got, v.Rule.Claim)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

func TestEffectsAreSaidWithoutSigns(t *testing.T) {
	finding := func(name string, e, low, high float64) trial.Finding {
		i := trial.Interval{Estimate: e, Low: low, High: high, N: 8}
		return trial.Finding{Comparison: trial.Comparison{Name: name}, Interval: i, A: i}
	}
	for want, c := range map[string]struct {
		contrast trial.Contrast
		metric   string
		f        trial.Finding
	}{
		"167 [160, 174] µs less for x than for y":      {trial.Difference, "auth_cpu_us", finding("x vs y", -167, -174, -160)},
		"122 [114, 131] µs more for x, N=2 than for y": {trial.Difference, "auth_cpu_us", finding("x, N=2 vs y", 122, 114, 131)},
		"2.5 [2, 3] times as much for x as for y":      {trial.Ratio, "request_bytes", finding("x vs y", 2.5, 2, 3)},
		"99 % [98 %, 100 %] for x":                     {trial.Against, "revocation_lag_share", finding("x", 0.99, 0.98, 1)},
		"0 of 8 (< 37.5 %) for x":                      {trial.Count, "lost_session_share", finding("x", 0, 0, 0.4)},
	} {
		if got := strings.ReplaceAll(inWords(trial.Rule{Metric: c.metric, Contrast: c.contrast}, c.f), nbsp, " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAdviceBeginsWithItsCondition(t *testing.T) {
	for text, want := range map[string][2]string{
		"log-out must take effect at once: it did.":                {"log-out must take effect at once", "It did."},
		"ask your store, and whether you have one. A limit: none.": {"ask your store, and whether you have one", "A limit: none."},
		"this run does not settle C01; nothing relies on that.":    {"this run does not settle C01; nothing relies on that", ""},
	} {
		if a := (advice{Text: text}); a.Condition() != want[0] || a.Ground() != want[1] {
			t.Errorf("%q: %q and %q, want %q", text, a.Condition(), a.Ground(), want)
		}
	}
}
