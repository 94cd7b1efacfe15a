package trial

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// WriteFile replaces a file of the run, or makes it: either the old one or the
// whole new one is there, whatever happens.
func (f Folder) WriteFile(name string, b []byte) error {
	return f.WriteFiles(map[string][]byte{name: b})
}

// WriteFiles replaces files of the run, by their names. No old one goes before
// all new ones are whole on the disk, so that a full disk spoils none.
func (f Folder) WriteFiles(files map[string][]byte) error {
	staged := map[string]string{} // temporary file by path
	defer func() {
		for _, tmp := range staged {
			os.Remove(tmp) // no-op once renamed
		}
	}()
	for name, b := range files {
		path := f.path(filepath.FromSlash(name))
		tmp, err := stage(path, b)
		if err != nil {
			return err
		}
		staged[path] = tmp
	}
	for _, path := range slices.Sorted(maps.Keys(staged)) {
		if err := os.Rename(staged[path], path); err != nil {
			return err
		}
	}
	for path := range staged {
		if err := syncFolder(filepath.Dir(path)); err != nil {
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
