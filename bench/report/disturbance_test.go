package report

import (
	"bytes"
	"strings"
	"testing"

	"authbench/bench/trial"
)

// disturbed are n trials of the driver, each on two CPUs for one second, of which
// some were disturbed by cause.
func disturbed(n, some int, cause string, steal, foreign float64) (ts []trial.Trial) {
	for i := range n {
		m := trial.Measurement{Step: "p", Streams: map[string]*trial.StreamResult{trial.Main: {}}}
		m.Usage = trial.Usage{Seconds: 1, Steal: steal * float64(i) / float64(max(1, n-1)), Foreign: foreign,
			Busy: map[string]float64{"cpu0": 1, "cpu1": 1}}
		t := trial.Trial{Status: trial.OK, Steps: []trial.Measurement{m}}
		if i >= n-some {
			t.Doubt(trial.Doubt{Step: "p", Cause: cause, Spoils: []trial.Aspect{trial.Tail}})
		}
		ts = append(ts, t)
	}
	journey := trial.Measurement{Step: "journey", Usage: trial.Usage{Seconds: 100, Steal: 100}}
	return append(ts, trial.Trial{Status: trial.OK, Steps: []trial.Measurement{journey}})
}

func TestANoisyMachineIsSaidInOneSentence(t *testing.T) {
	for name, c := range map[string]struct {
		trials []trial.Trial
		want   string
	}{
		"stolen": {disturbed(11, 6, trial.StolenCPU, 0.8, 0.1),
			"the machine was noisy: up to 40 % of a trial's CPU time was stolen by the hypervisor (median 20 %) and " +
				"up to 5 % went to other processes (median 5 %), and figures of 6 of the driver's 11 trials, calibration included, were left out; " +
				"for firmer verdicts take a machine whose CPUs nobody shares, or a quieter hour, and run again"},
		"others": {disturbed(11, 11, trial.ForeignCPU, 0, 0.5),
			"the machine was noisy: up to 0 % of a trial's CPU time was stolen by the hypervisor (median 0 %) and " +
				"up to 25 % went to other processes (median 25 %), and figures of 11 of the driver's 11 trials, calibration included, were left out; " +
				"for firmer verdicts end other programs, and run again"},
		"quiet":                 {disturbed(11, 0, "", 0.01, 0.01), ""},
		"one of many":           {disturbed(11, 1, trial.StolenCPU, 0.8, 0), ""},
		"not the machine":       {disturbed(11, 11, "component died", 0, 0), ""},
		"nothing but a journey": {disturbed(0, 0, "", 0, 0), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.ReplaceAll(disturbance(c.trials), nbsp, " "); got != c.want {
				t.Errorf("said\n%s\nwant\n%s", got, c.want)
			}
			var b bytes.Buffer
			if err := Terminal(&b, trial.Run{Name: "r", Warnings: []string{"another"}}, c.trials, nil, 100); err != nil {
				t.Fatal(err)
			}
			_, after, said := strings.Cut(b.String(), "another\n")
			if text := strings.Join(strings.Fields(after), " "); !said || text != c.want {
				t.Errorf("the terminal's last lines are\n%s\nwant\n%s", after, c.want)
			}
			d := newData(trial.Run{Status: "complete"}, c.trials, nil, "")
			first := append(warningTexts(d.warnings()), "")[0]
			if said := strings.HasPrefix(first, "the machine was noisy"); said != (c.want != "") {
				t.Errorf("the page's first warning is %q", first)
			}
		})
	}
}
