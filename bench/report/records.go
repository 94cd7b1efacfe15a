package report

import (
	"math"

	"authbench/bench/trial"
)

// verdictRecord is a verdict as verdicts.json holds it. JSON knows no NaN and no
// infinity: what is not a number is null.
type verdictRecord struct {
	Rule     trial.Rule      `json:"rule"`
	RuleHash string          `json:"ruleHash"`
	Answer   trial.Answer    `json:"answer"`
	Why      string          `json:"why"`
	Findings []findingRecord `json:"findings"`
	Warnings []string        `json:"warnings,omitempty"`
}

type findingRecord struct {
	Comparison trial.Comparison `json:"comparison"`
	Interval   intervalRecord   `json:"interval"`
	A          intervalRecord   `json:"a"`
	B          intervalRecord   `json:"b"`
	Margin     *float64         `json:"margin"`
	P          *float64         `json:"p"`
	Outcome    trial.Direction  `json:"outcome"`
	Why        string           `json:"why,omitempty"`
}

type intervalRecord struct {
	Estimate *float64 `json:"estimate"`
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
	N        int      `json:"n"`
}

func records(verdicts []trial.Verdict) []verdictRecord {
	all := []verdictRecord{}
	for _, v := range verdicts {
		r := verdictRecord{Rule: v.Rule, RuleHash: v.RuleHash, Answer: v.Answer, Why: v.Why, Findings: []findingRecord{}, Warnings: v.Warnings}
		for _, f := range v.Findings {
			r.Findings = append(r.Findings, findingRecord{f.Comparison, recordOf(f.Interval), recordOf(f.A), recordOf(f.B),
				orNull(f.Margin), orNull(f.P), f.Outcome, f.Why})
		}
		all = append(all, r)
	}
	return all
}

func recordOf(i trial.Interval) intervalRecord {
	return intervalRecord{orNull(i.Estimate), orNull(i.Low), orNull(i.High), i.N}
}

func orNull(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
