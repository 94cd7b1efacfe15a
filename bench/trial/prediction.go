package trial

// Prediction is a figure that a model gives for trials that are not made yet, of
// trials that are. It is written into the run before the first trial that it
// speaks of, so that nobody can fit it to what came out.
type Prediction struct {
	Experiment string   `json:"experiment"`
	Name       string   `json:"name"` // for a reader: "session/redis, 4 replicas"
	Of         Selector `json:"of"`
	Metric     string   `json:"metric"`
	Value      float64  `json:"value"`   // in the metric's unit
	Formula    string   `json:"formula"` // how it follows, in words
	From       []string `json:"from"`    // keys of the trials that it rests on
}
