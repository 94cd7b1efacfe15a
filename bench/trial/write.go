package trial

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
)

// WriteFile replaces a file of the run, or makes it: either the old one or the
// whole new one is there, whatever happens.
func (f Folder) WriteFile(name string, b []byte) error {
	return f.WriteFiles(map[string][]byte{name: b})
}

// WriteFiles replaces files of the run, by their names. No old one goes before
// all new ones are whole on the disk, so that a full disk spoils none.
func (f Folder) WriteFiles(files map[string][]byte) error {
	names := slices.Sorted(maps.Keys(files))
	staged := make([]string, len(names)) // temporary files
	defer func() {
		for _, tmp := range staged {
			os.Remove(tmp) // no-op once renamed
		}
	}()
	var writers errgroup.Group
	writers.SetLimit(16) // they wait for the disk, which syncs many files as fast as one
	for i, name := range names {
		writers.Go(func() (err error) { staged[i], err = stage(f.path(name), files[name]); return err })
	}
	if err := writers.Wait(); err != nil {
		return err
	}
	folders := map[string]bool{}
	for i, name := range names {
		if err := os.Rename(staged[i], f.path(name)); err != nil {
			return err
		}
		folders[filepath.Dir(f.path(name))] = true
	}
	for dir := range folders {
		if err := syncFolder(dir); err != nil {
			return err
		}
	}
	return nil
}

// stage writes what path will be into a temporary file beside it.
func stage(path string, b []byte) (tmp string, err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	file, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(b)
	if err == nil {
		err = file.Chmod(0o644)
	}
	if err == nil {
		err = file.Sync()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(file.Name())
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	return file.Name(), nil
}

// syncFolder makes the names in a folder last.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
