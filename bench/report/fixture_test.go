package report

import (
	"fmt"
	"os"
	"testing"
	"time"

	"authbench/bench/analysis"
	"authbench/bench/analysis/analysistest"
	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// wholeRun is a plausible run of all experiments with its real verdicts.
func wholeRun(t *testing.T) (trial.Run, []trial.Trial, []trial.Verdict) {
	t.Helper()
	run, trials := analysistest.Run()
	verdicts, err := analysis.Evaluate(run, trials)
	if err != nil {
		t.Fatal(err)
	}
	return run, trials, verdicts
}

func gobenchOutput(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("testdata/gobench.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// written writes a report into a fresh folder. Drawing PNG files takes seconds
// under the race detector: where they do not matter, see rendered.
func written(t *testing.T, run trial.Run, trials []trial.Trial, verdicts []trial.Verdict, gobench string) trial.Folder {
	t.Helper()
	f := trial.Folder(t.TempDir())
	if err := Write(f, run, trials, verdicts, gobench); err != nil {
		t.Fatal(err)
	}
	return f
}

func contents(t *testing.T, f trial.Folder, name string) string {
	t.Helper()
	b, err := os.ReadFile(f.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// rendered is a report without its PNG files, in a fresh folder.
func rendered(t *testing.T, run trial.Run, trials []trial.Trial, verdicts []trial.Verdict, gobench string) trial.Folder {
	t.Helper()
	d := newData(run, trials, verdicts, gobench)
	files, err := texts(d, newDocument(d), gobench)
	if err != nil {
		t.Fatal(err)
	}
	f := trial.Folder(t.TempDir())
	if err := f.WriteFiles(files); err != nil {
		t.Fatal(err)
	}
	return f
}

// smallRun is made by hand, so that golden files hold this package's words and
// no other's: three arms, two blocks, one verdict of each kind.
func smallRun() (trial.Run, []trial.Trial, []trial.Verdict) {
	var trials []trial.Trial
	for block := 1; block <= 3; block++ {
		off := float64(block-2) / 2 // blocks differ a little
		for _, c := range []struct {
			arm                    trial.Arm
			replicas, store, bytes float64
			ops                    string
		}{{"none", 50, 0, 120, ""}, {"session/redis", 80, 20, 180, "redis_commands"}, {"jwt/HS256", 62, 0, 470, ""}} {
			o := []analysistest.Option{
				analysistest.CPU("load=common", trial.BalancerTier, 20),
				analysistest.CPU("load=common", trial.ReplicaTier, c.replicas+off),
				analysistest.CPU("load=common", trial.StoreTier, c.store),
				analysistest.Bytes("load=common", c.bytes, 260),
				analysistest.Latency("load=common", time.Duration(c.replicas*4)*time.Microsecond, 2*time.Millisecond),
			}
			if c.ops != "" {
				o = append(o, analysistest.Counter("load=common", c.ops, 1))
			} else {
				o = append(o, analysistest.Counter("load=common", "redis_commands", 0)) // there, and not asked
			}
			trials = append(trials, analysistest.Trial(analysistest.Spec("cost", c.arm, "load=common"), block, o...))
		}
		lossy := analysistest.In("sticky", trial.NewCell("arm", "session/memory", "balancer", trial.RoundRobin, "replicas", 2))
		trials = append(trials, analysistest.Trial(lossy, block,
			analysistest.JourneyCounter("authenticated_requests", 1000), analysistest.JourneyCounter("lost_sessions", 501)))
		bare := analysistest.In("revoke", trial.NewCell("arm", "jwt/HS256", "lifetime", 2*time.Second))
		bare.Cells[0].System.Server[trial.SettingLifetime] = "2s"
		trials = append(trials, analysistest.Trial(bare, block,
			analysistest.JourneySamples("revocation_lag_seconds", 1.9+off/100), analysistest.JourneySamples("remaining_life_seconds", 1.91)))
	}
	trials = append(trials, analysistest.Trial(analysistest.Spec("cost", "jwt/HS256", "load=common"), 1, analysistest.Attempt(2),
		analysistest.Doubt("busy generator", trial.Median, trial.Tail, trial.Rate)))
	run := trial.Run{Name: "small", Profile: "standard", Runtime: "native", Seed: 7, Started: analysistest.Epoch,
		Ended:  analysistest.Epoch.Add(90 * time.Second),
		Status: "complete", Commit: "0123456789ab", Command: []string{"bin/authbench", "run", "--profile", "standard", "--seed", "7"},
		Experiments: []string{"cost", "sticky", "revoke"}, Questions: questions(), Budgeting: "none",
		Machine: trial.Machine{OS: "Debian GNU/Linux 12", Kernel: "6.1", CPU: "Some CPU", CPUs: 2, MemoryMiB: 8000,
			GeneratorCPUs: "0", SystemCPUs: "1"},
		Software: []trial.Software{{Name: "nginx", Version: "1.22.1", SHA256: "ab12"}},
		Warnings: []string{"no CPU budgets here: scale is skipped"}}
	return run, trials, smallVerdicts()
}

// questions are those of the standard profile.
func questions() (all []trial.Question) {
	p, err := experiment.ParseProfile("standard")
	if err != nil {
		panic(err)
	}
	for _, e := range experiment.All(p) {
		all = append(all, e.Entry())
	}
	return all
}

func smallVerdicts() []trial.Verdict {
	interval := func(e, l, h float64, n int) trial.Interval { return trial.Interval{Estimate: e, Low: l, High: h, N: n} }
	rule := func(claim, statement, metric string, c trial.Contrast, supports trial.Direction, margin float64) trial.Rule {
		return trial.Rule{Claim: claim, Statement: statement, Experiment: "cost", Metric: metric, Contrast: c, Supports: supports,
			Margin: margin, MinBlocks: 3}
	}
	finding := func(name string, i trial.Interval, o trial.Direction, factors ...string) trial.Finding {
		return trial.Finding{Comparison: trial.Comparison{Name: name, Factors: factors}, Interval: i, A: i, Outcome: o, P: 0.01}
	}
	verdicts := []trial.Verdict{
		{Rule: rule("C18", "JWTs enlarge requests.", "request_bytes", trial.Ratio, trial.More, 0.05),
			Judgement: trial.Judgement{Answer: trial.Supported, For: []int{0}},
			Findings:  []trial.Finding{finding("jwt/HS256 vs session/redis", interval(2.6, 2.5, 2.7, 3), trial.More)}},
		{Rule: rule("C01", "Sessions load the server, JWT is lighter.", "auth_cpu_us", trial.Difference, trial.Less, 5),
			Judgement: trial.Judgement{Answer: trial.Depends, For: []int{0}, Against: []int{1},
				DependsOn: &trial.Separation{Factors: []string{"store"}, Yes: [][]string{{"redis"}}, No: [][]string{{"memory"}}}},
			Instrument: []trial.Check{{Step: "load=common", Interval: interval(-1.2, -8, 5.6, 3), Bound: 5, Unproven: true}},
			Findings: []trial.Finding{
				finding("jwt/HS256 vs session/redis", interval(-38, -41, -35, 3), trial.Less, "store=redis"),
				finding("jwt/HS256 vs session/memory", interval(9.4, 8.8, 10, 3), trial.More, "store=memory")},
			Aborted: 1},
		{Rule: rule("C02", "Verifying a JWT needs no database.", "store_operations_per_request", trial.Count, trial.Same, 0.001),
			Judgement: trial.Judgement{Answer: trial.Supported, For: []int{0}},
			Findings:  []trial.Finding{finding("jwt/HS256", interval(0, 0, 0.001, 3000), trial.Same)}},
		{Rule: rule("C10", "Sessions end at once.", "revocation_lag_max_seconds", trial.Against, trial.Same, 0.1),
			Judgement: trial.Judgement{Answer: trial.Refuted, Against: []int{0}},
			Findings:  []trial.Finding{finding("session/redis", interval(0.8, 0.7, 0.9, 3), trial.More)}},
		{Rule: rule("C03", "JWT scales easily, sessions badly.", "throughput_per_second", trial.Ratio, trial.More, 0.1),
			Judgement: trial.Judgement{Answer: trial.NotMeasured, Unclear: []int{0}},
			Findings: []trial.Finding{{Comparison: trial.Comparison{Name: "jwt/HS256 vs session/redis at N=4"},
				Interval: interval(0, 0, 0, 0), Outcome: trial.Unclear, Reason: &trial.Reason{Cause: trial.FewBlocks, Needed: 3}}}},
		{Rule: rule("C05", "Behind a load balancer sessions need stickiness.", "lost_session_share", trial.Count, trial.More, 0.01),
			Judgement: trial.Judgement{Answer: trial.Partly, For: []int{0}, Unclear: []int{1}},
			Parts: []trial.Part{{Name: "memory", Judgement: trial.Judgement{Answer: trial.Supported, For: []int{0}}},
				{Name: "shared stores", Judgement: trial.Judgement{Answer: trial.NotDecided, Unclear: []int{1},
					Remedy: &trial.Remedy{Blocks: 18, Seconds: 1440}}}},
			Findings: []trial.Finding{finding("session/memory, N=2", interval(0.5, 0.49, 0.51, 10_000), trial.More),
				{Comparison: trial.Comparison{Name: "session/redis, N=2"}, Interval: interval(0, 0, 0.117, 24), Outcome: trial.Unclear,
					Reason: &trial.Reason{Cause: trial.AcrossEdge, More: 18}, Margin: 0.01}}},
	}
	verdicts[2].Rule.Checked = true
	for i := range verdicts {
		verdicts[i].Blocks = 3
		verdicts[i].RuleHash = fmt.Sprintf("hash%08d", i)
	}
	return verdicts
}
