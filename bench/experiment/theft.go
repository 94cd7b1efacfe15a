package experiment

import "authbench/bench/trial"

// Theft asks whether a thief who has copied a user's credential can still use it
// after something that should end it.
func Theft(p Profile) Experiment {
	o := outliving{name: "theft", arms: p.TheftArms, blocks: p.TheftBlocks, users: p.TheftUsers,
		changes: []string{"log-out", "password", "password-anew", "admin-log-out", "disabled"}}
	return Experiment{
		Name:     o.name,
		Question: "Can a thief use a copied credential after its user has done something about it?",
		Method: "k6: users log in and a thief copies what they were given. The user logs out, or changes the password (from the very log-in " +
			"that was copied, or from another: password-anew), or an administrator ends the user's credentials or disables the " +
			"user," + o.method(),
		Blocks: o.blocks,
		Trials: fixed(o.trials()),
		Rules:  o.rules("C14", "A stolen credential is dangerous, a JWT more so: the thief is shut out of a session at once, and not of a JWT."),
		Figures: o.figures("Which change shuts a thief out?",
			"Share of users whose thief was let in by any replica, in a request that began after the answer to the change. A password that is "+
				"changed from the very log-in that was copied ends the user's other log-ins, and leaves that one."),
		Advice: theftAdvice,
	}
}

var theftAdvice = []trial.Advice{
	{Claim: "C14", Answer: trial.Supported, Side: trial.ForSessions,
		Text: "a thief must be shut out at once: whatever was done about it did so with every session measured, and with no JWT."},
	{Claim: "C14", Answer: trial.Refuted, Side: trial.ForBoth,
		Text: "what a thief can do with a copy is no reason for sessions: none measured was shut out by what its user did, and JWT were."},
	{Claim: "C14", Answer: trial.Partly, Side: trial.ForSessions,
		Text: "a thief must be shut out at once, and they are where the change reaches them. That only a JWT works on: %s."},
}
