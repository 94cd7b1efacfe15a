package trial

// Question is what a run's manifest says of an experiment, so that a report
// needs nothing but the run's folder, and an old run keeps its own words.
type Question struct {
	Experiment string   `json:"experiment"`
	Question   string   `json:"question"`
	Method     string   `json:"method"` // how it is measured, in a sentence or two
	Figures    []Figure `json:"figures,omitempty"`
	Advice     []Advice `json:"advice,omitempty"`
}

// Side is whom a piece of advice speaks for.
type Side string

const (
	ForSessions Side = "sessions"
	ForTokens   Side = "jwt"
	ForBoth     Side = "both"
)

// Advice is one sentence that follows from one answer to a claim. %s in it
// stands for the findings on which a mixed answer depends.
type Advice struct {
	Claim  string `json:"claim"`
	Answer Answer `json:"answer"`
	Side   Side   `json:"side"`
	Text   string `json:"text"`
}
