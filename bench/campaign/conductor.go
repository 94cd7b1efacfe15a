package campaign

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"authbench/bench/load"
	"authbench/bench/trial"
)

// House starts the systems that a trial is made of.
type House interface {
	// Lacks says why what a spec needs cannot be had here; "" if it can.
	Lacks(n trial.Needs) string
	// Up starts a cell's system and returns when it serves. Those of a trial's cells
	// start side by side.
	Up(ctx context.Context, c trial.CellSpec) (System, error)
	Close() error
}

// System is one system under test.
type System interface {
	Target() trial.Target // with valid credentials, one a user
	ReplicaURLs() []string
	Warnings() []string
	Meter(ctx context.Context) (Meter, error)
	// Down ends it. The error names what had died by itself, and what could not be ended.
	Down(ctx context.Context) error
}

// Breaker is a System that faults can be carried out on: at their times from the
// step's start, beside its load. It returns when all are over, or as soon as ctx
// is cancelled with all of them ended. tell hears of each mark whenever a moment
// is added to it, of several faults at once; it may be nil.
type Breaker interface {
	Break(ctx context.Context, start time.Time, faults []trial.Fault, tell func(trial.Mark)) ([]trial.Mark, error)
}

// Watcher hears of a step that has faults while it goes on. Its functions are
// called from several goroutines; none holds up the load.
type Watcher struct {
	Second func(load.Second) // streams by cell and name: see [StreamKey]
	Mark   func(trial.Mark)
}

// Meter reads what happens beside the load.
type Meter interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) (trial.Usage, error) // since Start
	Close() error
}

// Generator loads the streams of a step.
type Generator interface {
	Run(ctx context.Context, step load.Step) (map[string]*trial.StreamResult, error)
	Close() error
}

// Journeys runs k6 scripts.
type Journeys interface {
	Run(ctx context.Context, s trial.System, script trial.Script, url string, replicas []string) (trial.Journey, error)
}

// Conductor makes trials of systems of a house.
type Conductor struct {
	House        House
	NewGenerator func(seed uint64) (Generator, error)
	Journeys     Journeys
	Instrument   Instrument
	Watch        Watcher // the zero value watches nothing
}

// Lacks implements [Maker].
func (c *Conductor) Lacks(n trial.Needs) string { return c.House.Lacks(n) }

// Close ends everything that trials may have left.
func (c *Conductor) Close() error { return c.House.Close() }

// Make implements [Maker]: the systems of all cells come up, each step loads all
// of them at the same moment, and whatever happened they come down again.
func (c *Conductor) Make(ctx context.Context, spec trial.Spec, order []int, seed uint64) (made Made, err error) {
	p := performance{conductor: c, spec: spec, made: &made, targets: map[string]trial.Target{}}
	defer func() { err = errors.Join(err, p.end(ctx)) }()
	if err := p.up(ctx); err != nil {
		return made, err
	}
	if p.generator, err = c.NewGenerator(seed); err != nil {
		return made, err
	}
	for _, i := range order {
		if err := p.step(ctx, i); err != nil {
			return made, err
		}
	}
	return made, nil
}

// performance is one trial being made.
type performance struct {
	conductor *Conductor
	spec      trial.Spec
	made      *Made
	systems   []System
	meters    []Meter
	generator Generator
	targets   map[string]trial.Target // by cell and kind of credential
}

// up brings the systems of all cells up, side by side, and opens their meters.
// What came up before an error is there to be brought down.
func (p *performance) up(ctx context.Context) error {
	p.systems, p.meters = make([]System, len(p.spec.Cells)), make([]Meter, len(p.spec.Cells))
	g, ctx := errgroup.WithContext(ctx)
	for i, cell := range p.spec.Cells {
		g.Go(func() error {
			s, err := p.conductor.House.Up(ctx, cell)
			if err != nil {
				return err
			}
			p.systems[i] = s
			m, err := s.Meter(ctx)
			if err == nil {
				p.meters[i] = m
			}
			return err
		})
	}
	err := g.Wait()
	for _, s := range p.systems {
		if s != nil {
			p.made.Warnings = append(p.made.Warnings, s.Warnings()...)
		}
	}
	return err
}

// end brings everything down, also when ctx is cancelled. What had died by
// itself is a doubt of everything but counts.
func (p *performance) end(ctx context.Context) error {
	var errs []error
	if p.generator != nil {
		errs = append(errs, p.generator.Close())
	}
	for _, m := range p.meters {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	deaths := make([]error, len(p.systems))
	var downs sync.WaitGroup
	for i, s := range p.systems {
		if s != nil {
			downs.Go(func() { deaths[i] = s.Down(down) })
		}
	}
	downs.Wait()
	for _, err := range deaths {
		if err != nil {
			p.made.Doubts = append(p.made.Doubts, trial.Doubt{Cause: died, Spoils: spoilt(), Text: err.Error()})
		}
	}
	return errors.Join(errs...)
}

// step loads the steps at one position of all cells at the same moment.
func (p *performance) step(ctx context.Context, i int) error {
	first := p.spec.Cells[0].Steps[i]
	aims := map[string]load.Aim{}
	for cell, c := range p.spec.Cells {
		for _, s := range c.Steps[i].Streams {
			t, err := p.target(ctx, cell, s.Present)
			if err != nil {
				return fmt.Errorf("%s: %s credentials: %w", first.Name, s.Present, err)
			}
			aims[StreamKey(cell, s.Name)] = load.Aim{Target: t, Stream: s}
		}
	}
	if first.Search != nil {
		m, err := p.search(ctx, i, aims)
		if kept := p.keep(&m, first); err == nil {
			err = kept
		}
		return err
	}
	ms, err := p.measure(ctx, i, aims)
	for cell := range ms {
		err = errors.Join(err, p.keep(&ms[cell], p.spec.Cells[cell].Steps[i]))
	}
	return err
}

// measure carries out the steps at one position, and reads what was used meanwhile.
func (p *performance) measure(ctx context.Context, i int, aims map[string]load.Aim) ([]trial.Measurement, error) {
	ms := make([]trial.Measurement, len(p.spec.Cells))
	for cell, m := range p.meters {
		if err := m.Start(ctx); err != nil {
			return nil, err
		}
		ms[cell] = trial.Measurement{Cell: cell, Step: p.spec.Cells[cell].Steps[i].Name}
	}
	started := time.Now()
	err := p.play(ctx, i, started, aims, ms)
	for cell := range ms {
		ms[cell].Started, ms[cell].Seconds = started.UTC(), time.Since(started).Seconds()
		usage, uerr := p.meters[cell].Stop(ctx)
		ms[cell].Usage, err = usage, errors.Join(err, uerr)
	}
	sideBySide(ms)
	return ms, err
}

// search looks for a capacity with a step's only stream. What it returns is the
// last try that held the rate that was found, or one of the lowest where none did.
func (p *performance) search(ctx context.Context, i int, aims map[string]load.Aim) (trial.Measurement, error) {
	search := p.spec.Cells[0].Steps[i].Search
	tries := map[float64]trial.Measurement{}
	found, err := load.Search(*search, 0, func(rate float64) (trial.Try, error) {
		for only, aim := range aims {
			aim.Stream.Pacing.Rate = rate
			aims[only] = aim
		}
		ms, err := p.measure(ctx, i, aims)
		if err != nil {
			return trial.Try{}, err
		}
		r, _ := ms[0].Result("")
		spoilt, limited := p.conductor.Instrument.Spoilt(&ms[0], search.SLO)
		t := load.Judge(r, search.SLO, spoilt, limited)
		t.Seconds = ms[0].Seconds
		if _, ok := tries[rate]; !ok || t.Outcome == trial.Held {
			tries[rate] = ms[0]
		}
		return t, namesUsers(r, ms[0].Step)
	})
	m, ok := tries[found.Holds]
	if !ok {
		m = tries[found.Lowest()]
	}
	m.Step, m.Search, m.Found = p.spec.Cells[0].Steps[i].Name, search, &found
	if r, ok := m.Result(""); ok && found.End != trial.Found {
		r.Stream.Pacing.Rate = 0 // none was found
	}
	return m, err
}

// sideBySide tells each measurement what the other cells' systems used, which is
// no CPU of other processes.
func sideBySide(ms []trial.Measurement) {
	all, missing := 0.0, ""
	for _, m := range ms {
		all += serving(m.Usage)
		if why := m.Usage.Missing[trial.MissingForeign]; why != "" {
			missing = why
		}
	}
	for i := range ms {
		u := &ms[i].Usage
		u.Beside = all - serving(*u)
		u.Foreign = max(0, u.Foreign-u.Beside)
		if missing != "" && len(ms) > 1 {
			if u.Missing == nil {
				u.Missing = map[string]string{}
			}
			u.Missing[trial.MissingForeign], u.Foreign = missing, 0
		}
	}
}

// serving is the CPU-seconds of the tiers that serve requests.
func serving(u trial.Usage) float64 {
	return u.CPU[trial.BalancerTier] + u.CPU[trial.ReplicaTier] + u.CPU[trial.StoreTier]
}

// play runs everything of the steps that loads and breaks, side by side.
func (p *performance) play(ctx context.Context, i int, started time.Time, aims map[string]load.Aim, ms []trial.Measurement) error {
	g, ctx := errgroup.WithContext(ctx)
	if len(aims) > 0 {
		g.Go(func() error {
			step := p.spec.Cells[0].Steps[i]
			l := load.Step{Seconds: step.Seconds, Warmup: step.Warmup, Streams: aims}
			if len(step.Faults) > 0 {
				l.Watch = p.conductor.Watch.Second
			}
			results, err := p.generator.Run(ctx, l)
			for cell, c := range p.spec.Cells {
				for _, s := range c.Steps[i].Streams {
					if r := results[StreamKey(cell, s.Name)]; r != nil {
						if ms[cell].Streams == nil {
							ms[cell].Streams = map[string]*trial.StreamResult{}
						}
						ms[cell].Streams[s.Name] = r
					}
				}
			}
			return err
		})
	}
	crossed := make([][]trial.Doubt, len(p.spec.Cells)) // of each cell: their scripts run side by side
	for cell, c := range p.spec.Cells {
		step, s := c.Steps[i], p.systems[cell]
		if step.Script != nil {
			g.Go(func() error {
				j, err := p.conductor.Journeys.Run(ctx, c.System, *step.Script, s.Target().URL, s.ReplicaURLs())
				ms[cell].Journey = &j
				// the script ran to its end: what it counted is a result, but users that failed leave no spans
				if errors.Is(err, load.ErrThreshold) && j.Counters["wrong_user"] == 0 {
					crossed[cell] = append(crossed[cell],
						trial.Doubt{Step: step.Name, Cause: "k6 threshold crossed", Spoils: []trial.Aspect{trial.WallClock}, Text: err.Error()})
					return nil
				}
				return err
			})
		}
		if len(step.Faults) > 0 {
			g.Go(func() (err error) {
				b, ok := s.(Breaker)
				if !ok {
					return fmt.Errorf("step %s has faults, which cannot be carried out on this system", step.Name)
				}
				ms[cell].Marks, err = b.Break(ctx, started, step.Faults, p.conductor.Watch.Mark)
				return err
			})
		}
	}
	err := g.Wait()
	p.made.Doubts = append(p.made.Doubts, slices.Concat(crossed...)...)
	return err
}

// namesUsers is an error for answers that named another user.
func namesUsers(r *trial.StreamResult, step string) error {
	if n := r.Outcomes[trial.WrongUser]; n > 0 {
		return fmt.Errorf("%s: %d answers named another user than the credential's: the arm is broken, and no figure of it can stand", step, n)
	}
	return nil
}

// keep judges a measurement and keeps it, unless it is a warm-up's. The error is
// for answers that named another user: no figure of such an arm can stand.
func (p *performance) keep(m *trial.Measurement, step trial.Step) error {
	for _, name := range slices.Sorted(maps.Keys(m.Streams)) {
		r := m.Streams[name]
		if err := namesUsers(r, step.Name); err != nil {
			p.made.Steps = append(p.made.Steps, *m)
			return err
		}
		if step.Warmup {
			for _, note := range r.Notes {
				p.made.Doubts = append(p.made.Doubts, trial.Doubt{Step: step.Name, Cause: shortWarmup, Text: note})
			}
		}
		if len(step.Faults) == 0 {
			r.Series = nil // a time line is for what happens in it
		}
	}
	if step.Warmup {
		return nil
	}
	p.made.Steps = append(p.made.Steps, *m)
	found := remarks(m, step.Expect)
	if m.Cell == 0 { // machine and generator are the same for all cells: they are judged once
		found = p.conductor.Instrument.doubts(m, step.Expect, len(p.spec.Cells))
	}
	p.made.Doubts = append(p.made.Doubts, found...)
	for _, mark := range m.Marks {
		if mark.InEffect == nil {
			p.made.Doubts = append(p.made.Doubts, trial.Doubt{Step: step.Name, Cause: "fault not in effect", Spoils: trial.Aspects(),
				Text: fmt.Sprintf("%s of %s: %s", mark.Fault.Kind, mark.Fault.Target, mark.Why)})
		}
	}
	return nil
}

// reserved is the share of a cell's users whose credentials are spent on a kind
// that is not valid: revoking one ends it.
const reserved = 0.1

// target is a cell's system with credentials of a kind. Users whose credentials
// were spent are not asked with good ones in the same trial.
func (p *performance) target(ctx context.Context, cell int, kind trial.Present) (trial.Target, error) {
	if kind == "" {
		kind = trial.Valid
	}
	id := StreamKey(cell, string(kind))
	if t, ok := p.targets[id]; ok {
		return t, nil
	}
	kinds := []trial.Present{} // of this cell besides valid, in the order of their first use
	for _, step := range p.spec.Cells[cell].Steps {
		for _, s := range step.Streams {
			if s.Present != "" && s.Present != trial.Valid && !slices.Contains(kinds, s.Present) {
				kinds = append(kinds, s.Present)
			}
		}
	}
	t := p.systems[cell].Target()
	users := len(t.Credentials)
	each := 0
	if len(kinds) > 0 {
		each = max(1, int(reserved*float64(users))/len(kinds))
	}
	good := users - each*len(kinds)
	if good < 1 {
		return t, fmt.Errorf("%d users are too few for %d kinds of credentials", users, len(kinds)+1)
	}
	all := t.Credentials
	t.Credentials = all[:good]
	if k := slices.Index(kinds, kind); k >= 0 {
		t.Credentials = all[good+k*each : good+(k+1)*each]
	}
	t, err := load.Prepare(ctx, t, kind, p.systemLifetime(cell))
	if err == nil {
		p.targets[id] = t
	}
	return t, err
}

// systemLifetime is how long to wait at most for a credential to expire.
func (p *performance) systemLifetime(cell int) time.Duration {
	return p.spec.Cells[cell].System.Lifetime() + 5*time.Second
}

// StreamKey names a stream among those of all cells.
func StreamKey(cell int, stream string) string { return fmt.Sprintf("%d/%s", cell, stream) }
