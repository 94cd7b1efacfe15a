package experiment

import "authbench/bench/trial"

// RoleChange asks whether a credential still goes by the role that its user had
// when it was made.
func RoleChange(p Profile) Experiment {
	o := outliving{name: "role-change", arms: p.RoleChangeArms, blocks: p.RoleChangeBlocks, users: p.RoleChangeUsers,
		changes: []string{"lowered", "raised"}}
	return Experiment{
		Name:     o.name,
		Question: "Is a new role in force at once?",
		Method: "k6: users log in, and an administrator makes users of administrators (lowered) or administrators of users (raised)," +
			o.method() + " It asks for something that is for administrators alone: 2xx goes by an administrator's role, 403 by a user's, 401 by " +
			"none. The next log-in has the new role, which is tried.",
		Blocks: o.blocks,
		Trials: fixed(o.trials()),
		Rules:  o.rules("C15", "Session data can be changed, a JWT's cannot: a new role is in force at once in a session, and not in a JWT."),
		Figures: o.figures("Does a credential go by a role that its user has lost, or by one that is not yet raised?",
			"Share of users whose credential from before went by the old role on any replica, in a request that began after the change's answer. "+
				"A session is not rewritten but ended: the next log-in has the new role."),
		Advice: roleChangeAdvice,
	}
}

var roleChangeAdvice = []trial.Advice{
	{Claim: "C15", Answer: trial.Supported, Side: trial.ForSessions,
		Text: "a change of rights must be in force at once: it was with every session measured, and with no JWT."},
	{Claim: "C15", Answer: trial.Refuted, Side: trial.ForBoth,
		Text: "a change of rights is no reason for sessions: with none measured was it in force at once, and with JWT it was."},
	{Claim: "C15", Answer: trial.Partly, Side: trial.ForSessions,
		Text: "a change of rights must be in force at once, and it reaches where they are kept. That only a JWT has the old rights: %s."},
}
