package trial

// Chart is a kind of drawing.
type Chart string

const (
	Bars     Chart = "bars"      // a bar for each cell, its parts the metrics
	Dots     Chart = "dots"      // a row of dots for each cell, one a metric
	Lines    Chart = "lines"     // a line for each cell over the levels of a factor
	Grid     Chart = "grid"      // a field for each cell, the levels of a factor across
	TimeLine Chart = "time line" // what became of requests over a step, a row for each cell, of the first block
	Table    Chart = "table"     // nothing drawn
	Model    Chart = "model"     // what replicas would serve, by the CPU of a request, and points that were measured

	// Tables of what is worked out over several cells.
	Crossings   Chart = "crossings"   // from how many replicas on one arm serves more than another, by the same model
	Predictions Chart = "predictions" // those of the run, and what was measured
)

// Charts lists all of them.
func Charts() []Chart {
	return []Chart{Bars, Dots, Lines, Grid, TimeLine, Table, Model, Crossings, Predictions}
}

// Names of figures that every report has.
const (
	SummaryFigure = "summary"
	MicroFigure   = "sign-verify"
)

// Figure is a chart of an experiment and the table beside it, as a value: what is
// asked, of which cells, by which metrics. How a kind of chart is drawn is known
// to package report. Cells stand in the order of the arms' catalogue.
type Figure struct {
	Name    string  `json:"name"`  // of its files, e.g. "auth-cost"
	Title   string  `json:"title"` // the question that it answers
	Caption string  `json:"caption"`
	Chart   Chart   `json:"chart"`
	Metrics []Shown `json:"metrics"`

	// Of picks the cells that hold its factors, and their step and stream. Only
	// where Along is a factor of steps it names no step.
	Of        Selector `json:"of"`
	NoControl bool     `json:"noControl,omitempty"` // leaves the control out, where figures are over its own

	// Along is the factor across, of cells or, as in "load=30%", of steps: of
	// lines and grids, which show one metric, and of tables that have a column for
	// each level.
	Along string `json:"along,omitempty"`

	Whole     string  `json:"whole,omitempty"`     // bars: the metric of which the others are the parts
	Ordered   bool    `json:"ordered,omitempty"`   // bars: the caption orders the arms by Whole, which is over the control, with ties
	Expected  string  `json:"expected,omitempty"`  // dots, grid: a metric that says what theory expects
	Reference float64 `json:"reference,omitempty"` // lines: a level to look at
	Unit      string  `json:"unit,omitempty"`      // "ms" shows so what is measured in µs
	Values    string  `json:"values,omitempty"`    // names the axis of values
	Levels    string  `json:"levels,omitempty"`    // lines: names the axis of Along
	Log       bool    `json:"log,omitempty"`       // dots: a logarithmic axis
	Zero      bool    `json:"zero,omitempty"`      // the axis of values begins at 0
	Bent      *Bent   `json:"bent,omitempty"`

	Modelled *Modelled `json:"modelled,omitempty"` // model, crossings: what the curves are worked out from
}

// Modelled is a system of N replicas of one core each before one store. The CPU of
// a request is that of the experiment cost.
type Modelled struct {
	Replicas   int   `json:"replicas"`   // at most, a power of 2
	StoreCores []int `json:"storeCores"` // of a store that can use several, the smallest first; one that cannot has one
}

// Shown is a metric in a figure.
type Shown struct {
	Metric string `json:"metric"`
	As     string `json:"as,omitempty"`    // in the key and the table's head, instead of the metric's title
	Aside  bool   `json:"aside,omitempty"` // in the table alone
}

// Bent says of which figure the whole chart suffers: below a bound of a metric in
// some cells. Text says so, and is followed by the values.
type Bent struct {
	Metric string  `json:"metric"`
	Of     Cell    `json:"of"`
	Below  float64 `json:"below"`
	Text   string  `json:"text"`
}

// All are the metrics that the figure rests on.
func (f Figure) All() (names []string) {
	for _, m := range f.Metrics {
		names = append(names, m.Metric)
	}
	for _, name := range []string{f.Whole, f.Expected} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}
