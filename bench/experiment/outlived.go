package experiment

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// outliving is what theft and role-change share: something should end a
// credential, or what is in it, and the credential from before is offered to
// every replica. Changes are those that a script makes, by its setting CHANGE.
type outliving struct {
	name    string // of the experiment, and of its script
	changes []string
	arms    []trial.Arm
	blocks  int
	users   int // of an arm whose credentials end at once, in all blocks
}

// Users of an arm whose credentials end at once are many, for they bound a share
// near 0; some at a time sit there and poll at an interval that one CPU can keep,
// and who is still let in after a second is let in. Each administrator's log-in is
// a session of one user, of which a server keeps 100.
//
// Where credentials end by themselves they live briefly, and all users poll until
// they do. They bound a share near 1 by 5 %, which takes 59 of them, and 98
// where Holm's correction holds eight comparisons to it.
const (
	outlivingSeats = 90
	outlivingPoll  = 150 // ms
	outlivingQuiet = 0.5 // s

	outlivingBrief      = 3 * time.Second
	outlivingBriefUsers = 100
	outlivingBriefPoll  = 200 // ms

	// Between the first log-ins, in ms: nobody must use up a brief life waiting for others.
	outlivingStagger      = 10
	outlivingBriefStagger = 30
)

// cell watches the users of an arm after a change. Accounts are shared by all
// replicas, in every arm: what one of them does not know is not the account.
func (o outliving) cell(a trial.Arm, change string) trial.CellSpec {
	each := func(users int) int { return (users + o.blocks - 1) / max(1, o.blocks) }
	lifetime, watch, users, poll, stagger := time.Hour, time.Second, each(o.users), outlivingPoll, outlivingStagger
	seats := min(users, outlivingSeats)
	if arm.Of(a).Ends == arm.AtExpiry {
		lifetime, watch, poll, stagger = outlivingBrief, outlivingBrief+time.Second, outlivingBriefPoll, outlivingBriefStagger
		users = each(outlivingBriefUsers)
		seats = users
	}
	cell := trial.NewCell("arm", a, "change", change, "lifetime", lifetime)
	c := journeyCell(cell, a, revokeReplicas, balancerFor(a), lifetime, users, seats, o.name+".js", map[string]string{"CHANGE": change,
		"POLL": strconv.Itoa(poll), "WATCH": fmt.Sprint(watch.Seconds()), "QUIET": fmt.Sprint(outlivingQuiet),
		"STAGGER": strconv.Itoa(stagger)})
	c.System.Server[trial.SettingAccounts] = "postgres"
	c.System.Server[trial.SettingStoreTimeout] = "5s" // no answer's time is measured, and a log-in turned away is a user less
	return c
}

// cells are those of every arm and change.
func (o outliving) cells() (cells []trial.CellSpec) {
	for _, a := range o.arms {
		for _, change := range o.changes {
			cells = append(cells, o.cell(a, change))
		}
	}
	return cells
}

func (o outliving) trials() (specs []trial.Spec) {
	for _, c := range o.cells() {
		specs = append(specs, trial.Single(o.name, c))
	}
	return specs
}

// Where a session is kept, as a verdict names it; see also [storeSessions] and [allTokens].
const (
	replicaSessions = "sessions in a replica's memory"
	clientSessions  = "sessions in the client's cookie"
)

func keptIn(a trial.Arm) string {
	switch k := arm.Of(a); {
	case k.Family == arm.Token:
		return allTokens
	case k.State == arm.Shared:
		return storeSessions
	case k.State == arm.Replica:
		return replicaSessions
	}
	return clientSessions
}

// rules are the one that the experiment has, or none without arms. Of sessions the
// claim says that no user's outlives a change, of JWT that every user's does: within
// 1 % where credentials end at once, and within 5 % where few users wait for their end.
func (o outliving) rules(claim, statement string) []trial.Rule {
	if len(o.arms) == 0 {
		return nil
	}
	r := trial.Rule{Claim: claim, Statement: statement, Metric: "outlived_change_share",
		Contrast: trial.Count, Supports: trial.Same, Margin: 0.01}
	for _, g := range []trial.Group{{Name: storeSessions}, {Name: replicaSessions},
		{Name: clientSessions, Margin: 0.05}, {Name: allTokens, Margin: 0.05}} {
		if slices.ContainsFunc(o.arms, func(a trial.Arm) bool { return keptIn(a) == g.Name }) {
			r.Groups = append(r.Groups, g)
		}
	}
	for _, c := range o.cells() {
		a, change := c.System.Arm, c.Cell.Get("change")
		one := trial.Comparison{Name: fmt.Sprintf("%s, %s", a, change), A: trial.Selector{Cell: c.Cell, Step: journeyStep},
			Factors: append(factors(a), "change="+change), Group: keptIn(a)}
		if one.Group == allTokens {
			one.Reference = 1
		}
		r.Compare = append(r.Compare, one)
	}
	return finish(o.name, r)
}

// figures are a field for each arm and change, and, where a credential ends by
// itself, how long it went on.
func (o outliving) figures(title, caption string) []trial.Figure {
	all := []trial.Figure{{Name: o.name, Chart: trial.Grid, Of: trial.Selector{Step: journeyStep}, Along: "change", Title: title,
		Caption: caption + " None of n users bounds the share by 3/n.",
		Metrics: []trial.Shown{{Metric: "outlived_change_share"}}}}
	if slices.ContainsFunc(o.arms, func(a trial.Arm) bool { return arm.Of(a).Ends == arm.AtExpiry }) {
		all = append(all, trial.Figure{Name: o.name + "-lag", Chart: trial.Dots, Zero: true, Expected: "life_left_seconds",
			Of:     trial.Selector{Cell: trial.NewCell("lifetime", outlivingBrief), Step: journeyStep},
			Values: "seconds after the change",
			Title:  "For how long does it work where it ends by itself?",
			Caption: fmt.Sprintf("Longest time from the change's answer to the last request that was accepted, on any replica, asked every %d ms. "+
				"The stroke marks what was left of the credential's life at the change. Whiskers: 95 %% interval.", outlivingBriefPoll),
			Metrics: []trial.Shown{{Metric: "revocation_lag_max_seconds", As: "longest lag"},
				{Metric: "revocation_lag_share", As: "lag / rest of life", Aside: true}}})
	}
	return all
}

// method ends that of each: how a credential from before is watched.
func (o outliving) method() string {
	return fmt.Sprintf(" through the balancer. Then what the user had before is offered to each of %d replicas directly, every %d ms (%d ms "+
		"where it lives %g s and ends by itself), until all have refused it for %g s, or a second is over where it does not end by itself. "+
		"Accounts are in PostgreSQL, shared by all replicas in every arm.",
		revokeReplicas, outlivingPoll, outlivingBriefPoll, outlivingBrief.Seconds(), outlivingQuiet)
}
