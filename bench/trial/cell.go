package trial

import (
	"fmt"
	"strings"
)

// Factor is one thing that an experiment varies, at one of its levels.
type Factor struct{ Name, Level string }

// Cell is a point of an experiment as ordered factor=level pairs, such as
// "arm=jwt/HS256 replicas=4 balancer=sticky", which is also its form in a file.
// Labels, selectors, axes and benchmark names derive from it.
type Cell []Factor

// NewCell pairs names with levels, which are written as fmt does.
func NewCell(namesAndLevels ...any) Cell {
	var c Cell
	for i := 0; i+1 < len(namesAndLevels); i += 2 {
		c = append(c, Factor{fmt.Sprint(namesAndLevels[i]), fmt.Sprint(namesAndLevels[i+1])})
	}
	return c
}

// Get is the level of a factor, or "".
func (c Cell) Get(name string) string {
	for _, f := range c {
		if f.Name == name {
			return f.Level
		}
	}
	return ""
}

// Arm is the level of the factor arm, which every cell has.
func (c Cell) Arm() Arm { return Arm(c.Get("arm")) }

// With is the cell with one factor at another level; one that it lacks is added.
func (c Cell) With(name string, level any) Cell {
	out := make(Cell, 0, len(c)+1)
	found := false
	for _, f := range c {
		if f.Name == name {
			f.Level, found = fmt.Sprint(level), true
		}
		out = append(out, f)
	}
	if !found {
		out = append(out, Factor{name, fmt.Sprint(level)})
	}
	return out
}

// Without is the cell less some factors.
func (c Cell) Without(names ...string) (out Cell) {
	for _, f := range c {
		keep := true
		for _, n := range names {
			keep = keep && f.Name != n
		}
		if keep {
			out = append(out, f)
		}
	}
	return out
}

// Holds says whether the cell has every factor of a partial one, at its level.
func (c Cell) Holds(part Cell) bool {
	for _, f := range part {
		if c.Get(f.Name) != f.Level {
			return false
		}
	}
	return true
}

// String is the cell's form in a file.
func (c Cell) String() string {
	size := 0
	for _, f := range c {
		size += len(f.Name) + len(f.Level) + 2
	}
	var b strings.Builder
	b.Grow(size) // it is asked for with every figure that is read
	for i, f := range c {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(f.Name)
		b.WriteByte('=')
		b.WriteString(f.Level)
	}
	return b.String()
}

// Words is the cell for a reader: the arm by its name, the rest as factor=level.
func (c Cell) Words() string {
	return strings.ReplaceAll(strings.TrimPrefix(c.String(), "arm="), " ", ", ")
}

// MarshalText writes the cell as String does.
func (c Cell) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (c *Cell) UnmarshalText(b []byte) error {
	*c = nil
	for part := range strings.FieldsSeq(string(b)) {
		name, level, ok := strings.Cut(part, "=")
		if !ok || name == "" || level == "" {
			return fmt.Errorf("cell %q: %q is no factor=level", b, part)
		}
		if c.Get(name) != "" {
			return fmt.Errorf("cell %q: the factor %s is there twice", b, name)
		}
		*c = append(*c, Factor{name, level})
	}
	return nil
}
