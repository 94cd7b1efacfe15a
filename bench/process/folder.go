package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// longestFolder is how long the path of a runtime folder's parent may be, in
// bytes: PostgreSQL takes 1,023 for a path of its own.
const longestFolder = 800

// parents are where a runtime folder may be, the first choice first.
func parents() []string {
	all := []string{"/tmp", "/var/tmp"}
	if dir := os.Getenv("TMPDIR"); dir != "" {
		if abs, err := filepath.Abs(dir); err == nil { // else it is relative to nowhere
			dir = abs
		}
		all = slices.Insert(slices.DeleteFunc(all, func(d string) bool { return d == dir }), 0, dir)
	}
	return all
}

// baseName is the folder that all runs of this user share.
func baseName() string { return fmt.Sprintf("authbench-%d", os.Getuid()) }

// baseFolder makes the folder that all runs of this user share, in the first
// place that will do. unfit says why those before will not.
func baseFolder() (base string, unfit, err error) {
	var errs []error
	for _, parent := range parents() {
		base = filepath.Join(parent, baseName())
		err := fit(parent)
		if err == nil {
			err = makeBase(base)
		}
		if err == nil {
			if len(errs) > 0 {
				unfit = fmt.Errorf("the runtime folder is in %s instead: %w", parent, errors.Join(errs...))
			}
			return base, unfit, nil
		}
		errs = append(errs, err)
	}
	return "", nil, fmt.Errorf("no place for a runtime folder: %w: set TMPDIR to a folder that will do", errors.Join(errs...))
}

// fit says what is wrong with a folder as the parent of runtime folders.
func fit(parent string) error {
	if !filepath.IsAbs(parent) {
		return fmt.Errorf("%q is relative to a folder that is gone", parent)
	}
	if len(parent) > longestFolder {
		return fmt.Errorf("%.40s... is a path of %d bytes: at most %d will do", parent, len(parent), longestFolder)
	}
	real, err := filepath.EvalSymlinks(parent)
	if err != nil {
		return err
	}
	if info, err := os.Stat(real); err != nil || !info.IsDir() {
		return errors.Join(err, fmt.Errorf("%s is not a folder", parent))
	}
	if os.Getuid() != 0 {
		return nil
	}
	// As root we start PostgreSQL and nginx as another user, who must get there.
	for dir := real; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode()&0o001 == 0 {
			return fmt.Errorf("%s is closed to the user that PostgreSQL runs as (mode %04o): chmod o+x %q opens it", dir, info.Mode().Perm(), dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// makeBase makes the shared folder unless it is there, open to pass through
// whatever the mask says.
func makeBase(base string) error {
	err := os.Mkdir(base, 0o711)
	if err == nil {
		err = os.Chmod(base, 0o711)
	} else if errors.Is(err, fs.ErrExist) {
		if err = ownFolder(base); err == nil {
			err = os.Chmod(base, 0o711) // made under another mask
		}
	}
	if err != nil {
		return fmt.Errorf("make the runtime folder: %w", err)
	}
	// A place may be there and take no files: a full disk, a read-only one.
	if err := unix.Access(base, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("write to %s: %w", base, err)
	}
	return nil
}

// ownFolder refuses what somebody else may have put in our place.
func ownFolder(base string) error {
	var st unix.Stat_t
	if err := unix.Lstat(base, &st); err != nil {
		return fmt.Errorf("runtime folder %s: %w", base, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Getuid() || st.Mode&0o022 != 0 {
		return fmt.Errorf("runtime folder %s is not a folder that only we may write to: remove it", base)
	}
	return nil
}
