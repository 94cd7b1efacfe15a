package token

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Timing is what a rotation waits for, so that at no time a replica meets a
// token by a key that it does not know. A key is replaced in three steps:
//
//  1. Stage makes a new key, which verifies and does not sign.
//  2. Once it has been there for Settle, Promote makes it sign.
//  3. The old key verifies for Settle + Life more: a replica may sign by it until
//     it reads the folder again, and that token lives for Life. Then the old key
//     verifies nothing, at every replica by itself; Retire deletes its file.
//
// Rotate takes the steps one after the other. A key that strangers know is no
// case for it: Remove ends that at the replicas' next reading.
type Timing struct {
	// Settle is the time within which everybody who verifies has read the keys
	// again: the replicas' interval of reading and a margin, or for how long
	// strangers cache the JWKS if that is longer.
	Settle time.Duration
	// Life is the longest time for which a token is accepted: its lifetime plus
	// the leeway for clocks.
	Life time.Duration
}

// Rotate deletes keys that have ended, stages a new key, waits for it to settle
// and promotes it; it returns the new key's kid. If ctx ends during the wait,
// the key stays staged and can be promoted later.
func (f Folder) Rotate(ctx context.Context, t Timing) (kid string, err error) {
	if _, err := f.Retire(time.Now()); err != nil {
		return "", err
	}
	if kid, err = f.Stage(); err != nil {
		return "", err
	}
	wait := time.NewTimer(t.Settle)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return kid, fmt.Errorf("token: rotate: key %s is staged and not promoted: %w", kid, ctx.Err())
	case <-wait.C:
	}
	return kid, f.Promote(kid, t)
}

// Stage makes a new key that verifies and does not sign, and returns its kid.
func (f Folder) Stage() (kid string, err error) {
	unlock, err := f.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	return f.stage()
}

func (f Folder) stage() (string, error) {
	text, err := generate(f.Alg)
	if err != nil {
		return "", fmt.Errorf("token: generate %s key: %w", f.Alg, err)
	}
	k, err := parseKey(text, f.Alg)
	if err != nil {
		return "", fmt.Errorf("token: generate %s key: %w", f.Alg, err)
	}
	if err := writeOnce(f.staged(k.id), text); err != nil {
		return "", fmt.Errorf("token: stage key: %w", err)
	}
	return k.id, nil
}

// Promote makes the staged key kid sign, unless it has been there for less than
// t.Settle. The key that signed until now verifies for t.Settle + t.Life, rounded
// up to the second, and then never. Promoting the key that signs already changes
// nothing.
func (f Folder) Promote(kid string, t Timing) error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	now := time.Now()
	files, err := f.read(now)
	if err != nil {
		return err
	}
	old, next := f.find(files, kid)
	if next == nil || next.end != 0 {
		return fmt.Errorf("token: promote: no staged %s key %s in %s: stage it first", f.Alg, kid, f.Dir)
	}
	if old.id == kid {
		return nil
	}
	info, err := os.Stat(next.name)
	if err != nil {
		return fmt.Errorf("token: promote: %w", err)
	}
	if age := now.Sub(info.ModTime()); age < t.Settle {
		return fmt.Errorf("token: promote: key %s was staged %v ago: wait until it is %v, or replicas may not know it", kid, age, t.Settle)
	}
	end := now.Add(t.Settle + t.Life + time.Second - 1).Truncate(time.Second)
	if err := f.limit(files, old.id, end); err != nil {
		return fmt.Errorf("token: promote: %w", err)
	}
	if err := f.sign(next.name); err != nil {
		return fmt.Errorf("token: promote: %w", err)
	}
	return nil
}

// find returns the file that signs and, of those with this kid, the one under a
// name of its own if there is one.
func (f Folder) find(files []keyFile, kid string) (signing, named *keyFile) {
	for i := range files {
		file := &files[i]
		if file.name == f.signing() {
			signing = file
		}
		if file.id == kid && (named == nil || file.name != f.signing()) {
			named = file
		}
	}
	return signing, named
}

// limit gives the key that signs a file of its own, whose name says when it
// ends. While it is still in ALG.key as well, it has no end.
func (f Folder) limit(files []keyFile, kid string, end time.Time) error {
	_, named := f.find(files, kid)
	to := f.retiring(kid, end)
	if named.name == f.signing() {
		if err := os.Link(named.name, to); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	}
	return os.Rename(named.name, to)
}

// sign makes the key in the file called name the one that signs, in one step.
func (f Folder) sign(name string) error {
	tmp := filepath.Join(f.Dir, ".signing-"+f.Alg)
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(name, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, f.signing())
}

// Retire deletes the files of keys that ended at now or before, which verify
// nothing any more, and says how many.
func (f Folder) Retire(now time.Time) (int, error) {
	unlock, err := f.lock()
	if err != nil {
		return 0, err
	}
	defer unlock()
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return 0, fmt.Errorf("token: retire: %w", err)
	}
	n := 0
	for _, e := range entries {
		name, end, ok, err := f.endOf(e.Name())
		if err != nil {
			return n, err
		}
		if ok && !end.IsZero() && !now.Before(end) {
			if err := os.Remove(name); err != nil {
				return n, fmt.Errorf("token: retire: %w", err)
			}
			n++
		}
	}
	return n, nil
}

// Remove ends the key kid at once: each replica refuses its tokens from its next
// reading of the folder. If it is the key that signs, a staged key takes its
// place, or a new one; tokens of a new one are refused by a replica that has not
// read the folder since, which is the price of not waiting.
func (f Folder) Remove(kid string) error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	// A file that is no good must not keep a stolen key alive.
	files, bad := f.read(time.Now())
	signing, named := f.find(files, kid)
	if named == nil {
		return errors.Join(fmt.Errorf("token: remove: no %s key %s in %s", f.Alg, kid, f.Dir), bad)
	}
	if signing != nil && signing.id == kid {
		if err := f.replace(files, kid); err != nil {
			return fmt.Errorf("token: remove: %w", err)
		}
	}
	for _, file := range files {
		if file.id == kid && file.name != f.signing() {
			if err := os.Remove(file.name); err != nil {
				return fmt.Errorf("token: remove: %w", err)
			}
		}
	}
	return nil
}

// replace lets another key than kid sign: one that is staged, else a new one.
func (f Folder) replace(files []keyFile, kid string) error {
	for _, file := range files {
		if file.id != kid && file.end == 0 {
			return f.sign(file.name)
		}
	}
	next, err := f.stage()
	if err != nil {
		return err
	}
	return f.sign(f.staged(next))
}

// lock keeps two that change the folder apart; those that read it need none.
func (f Folder) lock() (unlock func(), err error) {
	if err := checkAlgorithm(f.Alg); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(f.Dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("token: keys: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("token: lock %s: %w", file.Name(), err)
	}
	return func() { file.Close() }, nil // which unlocks
}
