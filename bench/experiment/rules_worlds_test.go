package experiment_test

import (
	"testing"

	"authbench/bench/trial"
)

// world is a state of things that a rule must judge rightly: the figures of its
// cells, and the answer that they leave no choice about.
type world struct {
	answer  trial.Answer
	story   string
	figures figures
	why     string // what the verdict must tell the reader
}

// figures give a rule's metric to cells; the last that fits a cell counts, and a
// cell that none fits has 0.
type figures []figure

// figure says what the cells of a name have: "session", "jwt/ES256 load=85%",
// "session/memory N=2". Every word must be one of the cell's (see words).
type figure struct {
	cells  string
	value  float64
	spread float64 // how far blocks lie from the value, in turns above and below
}

// worlds hold, for each claim, every way in which its rule can come out.
var worlds = map[string]func(trial.Rule) []world{
	"C01": lighter, "C02": noDatabase, "C03": scales, "C05": stickiness, "C06": sharing,
	"C14": shutOut, "C15": newRole,
	"C04": storeLimits, "C10": atOnce, "C11": untilExpiry, "C16": publicKey, "C18": enlarge, "C22": slowPostgres, "C23": totalOutage,
	"C24": logsOut, "C33": runsFull,
	"C40": dearer,
}

// worldsOf lists those of a rule's claim.
func worldsOf(t *testing.T, r trial.Rule) []world {
	t.Helper()
	if worlds[r.Claim] == nil {
		t.Fatalf("claim %s has no worlds, in which its rule must come out each way: add it to worlds in rules_worlds_test.go", r.Claim)
	}
	return worlds[r.Claim](r)
}

// C01, us of CPU over the control: sessions load the server, JWT is lighter.
func lighter(trial.Rule) []world {
	return []world{
		{trial.Supported, "any token costs less than any session", figures{{cells: "session", value: 40}, {cells: "jwt", value: 10}},
			"Holds in all "},
		{trial.Refuted, "they cost the same", figures{{cells: "session", value: 40}, {cells: "jwt", value: 40}}, "Does not hold in all "},
		{trial.Refuted, "any token costs more", figures{{cells: "session", value: 10}, {cells: "jwt", value: 40}}, "Does not hold in all "},
		{trial.Depends, "only a shared secret is cheap",
			figures{{cells: "session", value: 40}, {cells: "jwt", value: 90}, {cells: "jwt/HS256", value: 10}},
			"depends on algorithm: yes with HS256; no with RS256, ES256, EdDSA."},
		{trial.Depends, "only a local map is cheaper",
			figures{{cells: "jwt", value: 25}, {cells: "session", value: 60}, {cells: "session/memory", value: 3}},
			"depends on store: yes with redis, postgres; no with memory"},
		{trial.Depends, "ES256 lies between Redis and PostgreSQL",
			figures{{cells: "jwt", value: 10}, {cells: "jwt/ES256", value: 80}, {cells: "session", value: 40},
				{cells: "session/postgres", value: 120}},
			"depends on algorithm and store: yes with HS256 (memory, redis, postgres), RS256 (memory, redis, postgres), ES256 (postgres), " +
				"EdDSA (memory, redis, postgres); no with ES256 (memory, redis)"},
		{trial.NotDecided, "cheaper, but EdDSA was measured badly",
			figures{{cells: "session", value: 40}, {cells: "jwt", value: 10}, {cells: "jwt/EdDSA", value: 30, spread: 40}},
			"clearly for the claim), such as jwt/EdDSA vs session/"},
		{trial.Partly, "only a shared secret is cheap, and RS256 was measured badly",
			figures{{cells: "session", value: 40}, {cells: "jwt", value: 90}, {cells: "jwt/HS256", value: 10},
				{cells: "jwt/RS256", value: 40, spread: 40}}, "Decided in 9 of 12 comparisons: holds for jwt/HS256 vs session/"},
		{trial.NotDecided, "dearer, but PostgreSQL was measured badly",
			figures{{cells: "session", value: 10}, {cells: "jwt", value: 40}, {cells: "session/postgres", value: 30, spread: 40}},
			"clearly against the claim), such as jwt/"},
	}
}

// C02, store operations per request: verifying a JWT needs no database.
func noDatabase(r trial.Rule) []world {
	return []world{
		{trial.Supported, "only sessions ask the store", figures{{cells: "session", value: 1}}, "in all 4 comparisons alike"},
		{trial.Refuted, "every token is looked up", figures{{cells: "jwt", value: 1}}, "Does not hold in all "},
		{trial.Depends, "tokens by ES256 are looked up", figures{{cells: "jwt/ES256", value: 1}},
			"depends on algorithm: yes with HS256, RS256, EdDSA; no with ES256"},
		{trial.NotDecided, "EdDSA asks as often as the margin allows", figures{{cells: "jwt/EdDSA", value: r.Margin}},
			"Unclear in 1 of 4 comparisons (3 clearly for the claim), such as jwt/EdDSA: "},
		{trial.Partly, "tokens by ES256 are looked up, and EdDSA's about as often as the margin allows",
			figures{{cells: "jwt/ES256", value: 1}, {cells: "jwt/EdDSA", value: r.Margin}}, "Decided in 3 of 4 comparisons: holds for "},
		{trial.NotDecided, "all others are looked up", figures{{cells: "jwt", value: 1}, {cells: "jwt/EdDSA", value: r.Margin}},
			"(3 clearly against the claim), such as jwt/EdDSA: "},
	}
}

// C16, us of CPU over the control: a public key costs more than a shared secret.
func publicKey(trial.Rule) []world {
	return []world{
		{trial.Supported, "every key pair costs more", figures{{cells: "jwt", value: 60}, {cells: "jwt/HS256", value: 10}},
			"Holds in all 3 comparisons"},
		{trial.Refuted, "all algorithms cost the same", figures{{cells: "jwt", value: 10}}, "Does not hold in all 3 comparisons"},
		{trial.Refuted, "the secret costs more", figures{{cells: "jwt", value: 10}, {cells: "jwt/HS256", value: 60}},
			"Does not hold in all 3 comparisons"},
		{trial.Depends, "EdDSA is as cheap as a secret",
			figures{{cells: "jwt", value: 60}, {cells: "jwt/HS256", value: 10}, {cells: "jwt/EdDSA", value: 10}},
			"depends on algorithm: yes with RS256, ES256; no with EdDSA"},
		{trial.NotDecided, "RS256 was measured badly",
			figures{{cells: "jwt", value: 60}, {cells: "jwt/HS256", value: 10}, {cells: "jwt/RS256", value: 40, spread: 40}},
			"(2 clearly for the claim), such as jwt/RS256 vs jwt/HS256: "},
		{trial.Partly, "EdDSA is as cheap as a secret, and RS256 was measured badly",
			figures{{cells: "jwt", value: 60}, {cells: "jwt/HS256", value: 10}, {cells: "jwt/EdDSA", value: 10},
				{cells: "jwt/RS256", value: 40, spread: 40}}, "unclear for jwt/RS256 vs jwt/HS256: the interval reaches over"},
	}
}

// C18, bytes of a request: JWTs enlarge requests.
func enlarge(trial.Rule) []world {
	return []world{
		{trial.Supported, "any token is longer than a session's cookie", figures{{cells: "session", value: 180}, {cells: "jwt", value: 470}},
			"Holds in all "},
		{trial.Refuted, "they are equally long", figures{{cells: "session", value: 180}, {cells: "jwt", value: 180}}, "Does not hold in all "},
		{trial.Refuted, "tokens are shorter", figures{{cells: "session", value: 180}, {cells: "jwt", value: 120}}, "Does not hold in all "},
		{trial.Depends, "only RSA's signature is long",
			figures{{cells: "session", value: 180}, {cells: "jwt", value: 180}, {cells: "jwt/RS256", value: 470}},
			"depends on algorithm: yes with RS256; no with HS256, ES256, EdDSA"},
		{trial.Depends, "PostgreSQL's sessions are in the cookie",
			figures{{cells: "session", value: 180}, {cells: "jwt", value: 470}, {cells: "session/postgres", value: 900}},
			"depends on store: yes with memory, redis; no with postgres"},
		{trial.NotDecided, "HS256 was measured badly",
			figures{{cells: "session", value: 180}, {cells: "jwt", value: 470}, {cells: "jwt/HS256", value: 250, spread: 100}},
			"clearly for the claim), such as jwt/HS256 vs session/"},
		{trial.Partly, "only RSA's signature is long, and HS256 was measured badly",
			figures{{cells: "session", value: 180}, {cells: "jwt", value: 180}, {cells: "jwt/RS256", value: 470},
				{cells: "jwt/HS256", value: 250, spread: 100}}, "Decided in 9 of 12 comparisons: holds for jwt/RS256 vs session/"},
	}
}

// C03, cores of a store that a replica core uses: JWT scales easily, sessions badly.
func scales(trial.Rule) []world {
	return []world{
		{trial.Supported, "four replicas use up any session store", figures{{cells: "session", value: 0.25}},
			"Supported for JWT: holds in all 4 comparisons"},
		{trial.Refuted, "tokens are looked up, and sessions hardly", figures{{cells: "session", value: 0.01}, {cells: "jwt", value: 0.25}},
			"Refuted for JWT: does not hold in all 4 comparisons"},
		{trial.Partly, "who asks no store has no ceiling", figures{{cells: "session", value: 0.25}, {cells: "session/memory"}},
			"Refuted for sessions that ask no store"},
		{trial.Partly, "Redis feeds very many replicas", figures{{cells: "session", value: 0.5}, {cells: "session/redis", value: 0.02}},
			"Depends for sessions in a shared store: holds in 1 of 2 comparisons and does not in 1; depends on store: yes with postgres; " +
				"no with redis"},
		{trial.Partly, "PostgreSQL was measured badly",
			figures{{cells: "session", value: 0.25}, {cells: "session/memory"}, {cells: "session/postgres", value: 0.07, spread: 0.05}},
			"Not decided for sessions in a shared store: unclear in 1 of 2 comparisons"},
		{trial.NotDecided, "all use about as much as the margin allows",
			figures{{cells: "session", value: 1.0 / 16, spread: 0.03}, {cells: "jwt", value: 0.01, spread: 0.005}},
			"Not decided for JWT: unclear in 4 of 4 comparisons"},
	}
}

// C04, share of its budget that the store uses: the shared store is the bottleneck.
func storeLimits(trial.Rule) []world {
	return []world{
		{trial.Supported, "both use all that they get", figures{{cells: "session", value: 1}}, "Supported for session/redis: holds in both "},
		{trial.Refuted, "both use half of what they get", figures{{cells: "session", value: 0.5}},
			"Refuted for session/postgres: does not hold in both "},
		{trial.Partly, "the machine cannot use more of Redis", figures{{cells: "session", value: 0.5}, {cells: "session/postgres", value: 0.97}},
			"Supported for session/postgres: holds in both "},
		{trial.Partly, "nor can it use twice as much of Redis",
			figures{{cells: "session", value: 1}, {cells: "session/redis store_cpu=0.1", value: 0.6}},
			"Depends for session/redis: holds in 1 of 2 comparisons and does not in 1; depends on store CPU: yes with 0.05; no with 0.1"},
		{trial.NotDecided, "both were measured badly", figures{{cells: "session", value: 0.9, spread: 0.1}},
			"Not decided for session/redis: unclear in 2 of 2 "},
	}
}

// C22, the store's CPU as a share of the control's whole: PostgreSQL is too slow for sessions.
func slowPostgres(trial.Rule) []world {
	return []world{
		{trial.Supported, "PostgreSQL takes four times as much",
			figures{{cells: "session/redis", value: 0.2}, {cells: "session/postgres", value: 0.8}},
			"Holds in "},
		{trial.Refuted, "it takes half as much again", figures{{cells: "session/redis", value: 0.2}, {cells: "session/postgres", value: 0.3}},
			"Does not hold in "},
		{trial.NotDecided, "it was measured badly",
			figures{{cells: "session/redis", value: 0.2}, {cells: "session/postgres", value: 0.4, spread: 0.2}},
			"Unclear in the one comparison, session/postgres vs session/redis: "},
	}
}

// C40, CPU per request over the control's: every replica that is added makes a request dearer.
func dearer(r trial.Rule) []world {
	one := figure{cells: "N=1", value: 1.5}
	return []world{
		{trial.Supported, "replicas tell each other everything", figures{one, {cells: "N=8", value: 3}},
			"Supported for JWT: holds in both comparisons"},
		{trial.Refuted, "replicas know nothing of each other", figures{one, {cells: "N=8", value: 1.5}},
			"Refuted for sessions in a shared store: does not hold in both comparisons"},
		{trial.Refuted, "many are cheaper", figures{one, {cells: "N=8", value: 1}}, "Refuted for JWT: does not hold in both comparisons"},
		{trial.Partly, "only shared stores are fought for",
			figures{one, {cells: "N=8", value: 1.5}, {cells: "session/redis N=8", value: 3}, {cells: "session/postgres N=8", value: 3}},
			"Supported for sessions in a shared store: holds in both comparisons"},
		{trial.NotDecided, "about as much dearer as the margin allows", figures{one, {cells: "N=8", value: 1.5 * (1 + r.Margin), spread: 0.3}},
			"Not decided for sessions that ask no store: unclear in "},
	}
}

// C05, share of requests that lost their session: behind a load balancer sessions need stickiness.
func stickiness(r trial.Rule) []world {
	const third = 2.0 / 3
	expected := figures{{cells: "session/memory N=2", value: 0.5}, {cells: "session/memory N=3", value: third},
		{cells: "session/memory N=4", value: 0.75}}
	with := func(fs ...figure) figures { return append(fs, expected...) }
	return []world{
		{trial.Supported, "no store keeps them", with(figure{cells: "session", value: 0.5}),
			"Supported for shared stores: holds in all 6 comparisons"},
		{trial.Refuted, "no session is lost", nil,
			"Refuted for sessions in a replica's memory, which lose 1 - 1/N of the requests: does not hold in all "},
		{trial.Refuted, "memory loses some, and not as many as replicas do not know them", figures{{cells: "session/memory", value: 0.05}},
			"Refuted for sessions in a replica's memory"},
		{trial.Partly, "shared stores lose none", expected,
			"Supported for sessions in a replica's memory, which lose 1 - 1/N of the requests: holds in all 6 comparisons"},
		{trial.Partly, "Redis loses as many as it keeps", with(figure{cells: "session/redis", value: 0.5}),
			"Depends for shared stores: holds in 3 of 6 comparisons and does not in 3; depends on store: yes with redis; no with postgres."},
		{trial.Partly, "PostgreSQL loses as much as the margin allows", with(figure{cells: "session/postgres", value: r.Margin}),
			"Not decided for shared stores: unclear in 3 of 6 comparisons (3 clearly against the claim), such as session/postgres"},
		{trial.NotDecided, "all lose about as much as a margin allows", figures{{cells: "session", value: r.Margin},
			{cells: "session/memory N=2", value: 0.52}, {cells: "session/memory N=3", value: third + 0.02},
			{cells: "session/memory N=4", value: 0.77}},
			"No number of blocks would decide it: of session/"},
	}
}

// C06, the same share of a memory store's requests: many servers need session sharing.
func sharing(r trial.Rule) []world {
	return []world{
		{trial.Supported, "no balancer keeps unshared sessions", figures{{cells: "session/memory", value: 0.5}},
			"Supported for memory behind a balancer without stickiness: holds in all "},
		{trial.Refuted, "every balancer keeps them", nil,
			"Refuted for memory behind one with it, while replicas neither die nor are added: does not"},
		{trial.Partly, "balancers that know the client keep them",
			figures{{cells: "session/memory round_robin", value: 0.5}, {cells: "session/memory least_conn", value: 0.5}},
			"Refuted for memory behind one with it, while replicas neither die nor are added: does not hold in all 9 comparisons alike."},
		{trial.Partly, "four replicas are too many", figures{{cells: "session/memory N=4", value: 0.75}},
			"depends on replicas: yes with 4; no with 2, 3"},
		{trial.NotDecided, "every balancer loses as much as the margin allows", figures{{cells: "session/memory", value: r.Margin}},
			"Not decided for memory behind one with it, while replicas neither die nor are added: unclear in 9 of 9 comparisons, such as "},
	}
}

// C23, share of valid users' requests served while the fault is in effect: a
// store outage is a total outage.
func totalOutage(r trial.Rule) []world {
	return []world{
		{trial.Supported, "nobody is served whatever breaks", nil, "Holds in all "},
		{trial.Refuted, "half are served all the same", figures{{cells: "session", value: 0.5}, {cells: "jwt", value: 1}},
			"Does not hold in all "},
		{trial.Depends, "who asks no store is served", figures{{cells: "session/memory", value: 1}, {cells: "jwt", value: 1}},
			"depends on state: yes with shared; no with replica, client"},
		{trial.Depends, "a slow store still answers",
			figures{{cells: "session/memory", value: 1}, {cells: "jwt", value: 1}, {cells: "slow", value: 0.9}},
			"depends on state and fault: yes with shared (kill, hang); no with "},
		{trial.NotDecided, "tokens are served about as often as the margin allows", figures{{cells: "jwt", value: r.Margin}},
			"clearly for the claim), such as jwt/HS256, kill: "},
		{trial.Partly, "who asks no store is served, and hardly where the store is slow",
			figures{{cells: "session/memory", value: 1}, {cells: "jwt", value: 1}, {cells: "slow", value: r.Margin}},
			"Decided in 8 of 12 comparisons: holds for session/redis, kill"},
	}
}

// C24, share of valid users' requests refused once the store is back: a store that
// restarts logs everyone out.
func logsOut(r trial.Rule) []world {
	return []world{
		{trial.Supported, "everybody logs in again", figures{{cells: "session", value: 1}, {cells: "jwt", value: 1}},
			"Holds in all 3 comparisons"},
		{trial.Refuted, "nobody notices", nil, "Does not hold in all 3 comparisons"},
		{trial.Depends, "who is looked up logs in again", figures{{cells: "session", value: 1}},
			"depends on state: yes with shared; no with client"},
		{trial.Partly, "Redis forgets, and PostgreSQL about as many as the margin allows",
			figures{{cells: "session/redis", value: 1}, {cells: "session/postgres", value: r.Margin}}, "holds for session/redis"},
		{trial.NotDecided, "about as many as the margin allows log in again", figures{{cells: "session", value: r.Margin}}, "such as session/"},
	}
}

// C33, share of valid users' requests refused while the store is full: a store
// that runs full logs users out.
func runsFull(r trial.Rule) []world {
	return []world{
		{trial.Supported, "everybody is forgotten", figures{{cells: "session", value: 0.5}, {cells: "jwt", value: 0.5}},
			"Holds in all 4 comparisons"},
		{trial.Refuted, "nobody is", nil, "Does not hold in all 4 comparisons"},
		{trial.Depends, "who is looked up is forgotten where Redis evicts", figures{{cells: "session evict", value: 0.5}},
			"depends on state and fault: yes with shared (evict); no with shared (full), client (evict, full)"},
		{trial.Partly, "who is looked up is forgotten where Redis evicts, and elsewhere about as many as the margin allows",
			figures{{cells: "session evict", value: 0.5}, {cells: "session full", value: r.Margin}}, "holds for session/redis, evict"},
		{trial.NotDecided, "about as many as the margin allows are", figures{{cells: "session", value: r.Margin}}, "such as session/"},
	}
}

// C10, share of users who were let in after their log-out: sessions end at once.
func atOnce(r trial.Rule) []world {
	return []world{
		{trial.Supported, "nobody is let in after log-out", nil, "Holds in all 3 comparisons alike"},
		{trial.Refuted, "replicas keep what they have seen", figures{{cells: "session", value: 1}}, "Does not hold in all 3 comparisons"},
		{trial.Depends, "replicas do not tell each other", figures{{cells: "session/memory", value: 0.67}},
			"depends on store: yes with redis, postgres; no with memory"},
		{trial.Partly, "replicas do not tell each other, and Redis lets in about as many as the margin allows",
			figures{{cells: "session/memory", value: 0.67}, {cells: "session/redis", value: r.Margin}},
			"holds for session/postgres; does not for session/memory; unclear for session/redis: "},
		{trial.NotDecided, "Redis lets in about as many as the margin allows", figures{{cells: "session/redis", value: r.Margin}},
			"(2 clearly for the claim), such as session/redis: "},
	}
}

// C11, lag as a share of the life left at log-out: a JWT stays valid until it expires.
func untilExpiry(r trial.Rule) []world {
	return []world{
		{trial.Supported, "a token lives to its end", figures{{cells: "jwt", value: 1}}, "Holds in all "},
		{trial.Supported, "a clock runs fast, within the margin", figures{{cells: "jwt", value: 1 - 0.7*r.Margin}}, "Holds in all "},
		{trial.Supported, "a clock runs slow, within the margin", figures{{cells: "jwt", value: 1 + 0.7*r.Margin}}, "Holds in all "},
		{trial.Refuted, "log-out ends it at once", nil, "Does not hold in all "},
		{trial.Refuted, "it outlives its expiry", figures{{cells: "jwt", value: 2}}, "Does not hold in all "},
		{trial.Depends, "ES256 has a denylist", figures{{cells: "jwt", value: 1}, {cells: "jwt/ES256"}},
			"depends on algorithm: yes with HS256; no with ES256"},
		{trial.Depends, "a denylist forgets after 2 s", figures{{cells: "jwt", value: 1}, {cells: "jwt 3s", value: 0.5}},
			"depends on lifetime: yes with 2s; no with 3s"},
		{trial.Partly, "ES256 has a denylist, and tokens of 3 s end too early in every other block",
			figures{{cells: "jwt", value: 1}, {cells: "jwt 3s", value: 1 - r.Margin, spread: r.Margin}, {cells: "jwt/ES256"}},
			"Decided in 3 of 4 comparisons: holds for jwt/HS256, lifetime 2s; does not for jwt/ES256"},
		{trial.NotDecided, "ES256 ends too early in every other block",
			figures{{cells: "jwt", value: 1}, {cells: "jwt/ES256", value: 1 - r.Margin, spread: r.Margin}},
			"(2 clearly for the claim), such as jwt/ES256, lifetime 2s: "},
	}
}

// C14, share of users whose thief was let in after a change: the thief is shut out of a session at once, and not of a JWT.
func shutOut(r trial.Rule) []world {
	jwt := figure{cells: "jwt", value: 1}
	return []world{
		{trial.Supported, "only what servers do not keep outlives its end", figures{jwt},
			"Supported for sessions in a shared store: holds in all 5 comparisons"},
		{trial.Refuted, "sessions are never looked up, and tokens are", figures{{cells: "session", value: 1}},
			"Refuted for JWT: does not hold in all 5 comparisons"},
		{trial.Partly, "all outlive it", figures{jwt, {cells: "session", value: 1}},
			"Refuted for sessions in a replica's memory: does not hold in all 5 comparisons"},
		{trial.Partly, "replicas do not tell each other, and a log-in outlives the password that it changes",
			figures{jwt, {cells: "session/cookie", value: 1}, {cells: "session/memory", value: 0.67}, {cells: "session/memory log-out"},
				{cells: "session/redis password", value: 1}},
			"Depends for sessions in a shared store: holds in 4 of 5 comparisons and does not in 1; depends on change: yes with log-out, " +
				"password-anew, admin-log-out, disabled; no with password"},
		{trial.Partly, "a denylist knows log-outs alone", figures{jwt, {cells: "jwt log-out"}},
			"Depends for JWT: holds in 4 of 5 comparisons and does not in 1; depends on change: yes with password, "},
		{trial.NotDecided, "all outlive it about as often as a margin allows",
			figures{{cells: "jwt", value: 0.95}, {cells: "session", value: r.Margin}, {cells: "session/cookie", value: 0.05}},
			"Not decided for sessions in a replica's memory: unclear in 5 of 5 comparisons"},
	}
}

// C15, share of users who went by their old role after a change: a new role is in force at once in a session, and not in a JWT.
func newRole(r trial.Rule) []world {
	jwt := figure{cells: "jwt", value: 1}
	return []world{
		{trial.Supported, "only what servers do not keep is as it was", figures{jwt}, "Supported for JWT: holds in both comparisons"},
		{trial.Refuted, "roles are read from the account, but not in a session", figures{{cells: "session", value: 1}},
			"Refuted for sessions in a shared store: does not hold in both comparisons"},
		{trial.Partly, "nothing but Redis is changed", figures{jwt, {cells: "session", value: 1}, {cells: "session/redis"}},
			"Refuted for sessions in a replica's memory: does not hold in both comparisons"},
		{trial.Partly, "a token that is refused as a user's is made anew", figures{jwt, {cells: "jwt raised"}},
			"Depends for JWT: holds in 1 of 2 comparisons and does not in 1; depends on change: yes with lowered; no with raised"},
		{trial.NotDecided, "all are as they were about as often as a margin allows",
			figures{{cells: "jwt", value: 0.95}, {cells: "session", value: r.Margin}},
			"Not decided for JWT: unclear in 2 of 2 comparisons"},
	}
}
