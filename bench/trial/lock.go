package trial

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// lockFile is there while somebody measures into the folder, and holds the PID.
const lockFile = ".lock"

// Lock keeps the folder, which it makes if need be, for one measurer: of two
// that would measure the same trials, the second gets an error that says who
// holds it. The kernel lets go when the process ends, however it ends; what a
// killed one has left of the file is no lock. Readers need none.
func (f Folder) Lock() (unlock func(), err error) {
	if err := os.MkdirAll(string(f), 0o755); err != nil {
		return nil, fmt.Errorf("measure into %s: %w", f, err)
	}
	path := f.path(lockFile)
	for range 100 {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, fmt.Errorf("measure into %s: %w", f, err)
		}
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			defer file.Close()
			if !errors.Is(err, unix.EWOULDBLOCK) {
				return nil, fmt.Errorf("lock %s: %w", path, err)
			}
			pid, _ := io.ReadAll(io.LimitReader(file, 20)) // empty where the holder has only just come
			return nil, fmt.Errorf("%s is being measured by another authbench (process %s): wait for its end, or end it by kill -INT",
				f, strings.TrimSpace(string(pid)))
		}
		if !still(file, path) { // the one before removed it between our opening and locking
			file.Close()
			continue
		}
		err = file.Truncate(0)
		if err == nil {
			_, err = fmt.Fprintln(file, os.Getpid())
		}
		if err == nil {
			err = f.removeStaged()
		}
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		return func() {
			os.Remove(path) // before it is let go: afterwards it may be another's
			file.Close()
		}, nil
	}
	return nil, fmt.Errorf("lock %s: it is replaced again and again; is this file system shared?", path)
}

// removeStaged removes what a measurer that was killed had not written to its end.
// What a report stages is left alone: that is made without the lock.
func (f Folder) removeStaged() error {
	var errs []error
	for _, pattern := range []string{".run.json.[0-9]*", "trials/.*.json.[0-9]*"} {
		staged, err := fs.Glob(os.DirFS(string(f)), pattern)
		errs = append(errs, err)
		for _, name := range staged {
			errs = append(errs, os.Remove(f.path(name)))
		}
	}
	return errors.Join(errs...)
}

// still says whether path names the open file.
func still(file *os.File, path string) bool {
	a, aerr := file.Stat()
	b, berr := os.Stat(path)
	return aerr == nil && berr == nil && os.SameFile(a, b)
}
