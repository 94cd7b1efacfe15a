package token

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Folder is where replicas share the keys of one algorithm. Its files:
//
//	ALG.key                   the key that signs
//	ALG-NAME.key              verifies: a key that is staged
//	ALG-NAME.until-TIME.key   verifies before TIME (20060102T150405Z), then never
//
// NAME is the key's kid where this package writes the file, and anything where
// somebody else does. A key is a PKCS #8 private key in PEM ("PRIVATE KEY"), or
// for HS256 a secret in base64. Weak keys, keys of another algorithm, and files
// that others may read or that the group may write are refused.
type Folder struct {
	Dir string
	Alg string // one of Algorithms
}

// endLayout is how a file's name gives the time when its key ends.
const (
	endLayout = "20060102T150405Z"
	endMark   = ".until-"
)

// LoadKeys reads the keys of one algorithm from dir, which is as [Folder] says.
// Anything wrong with any of them is an error: a replica starts with good keys
// or not at all.
func LoadKeys(dir, alg string) (*KeySet, error) {
	ks, err := Folder{dir, alg}.load(time.Now())
	if err != nil {
		return nil, err
	}
	return ks, nil
}

// GenerateKeys makes the key that signs, unless dir has one for alg already.
// Of several replicas that start at once exactly one wins, and all load its
// key. The file is readable by its owner alone; so is dir, if it is made here.
func GenerateKeys(dir, alg string) error {
	f := Folder{dir, alg}
	if err := checkAlgorithm(alg); err != nil {
		return err
	}
	if _, err := os.Stat(f.signing()); err == nil {
		return nil
	}
	text, err := generate(alg)
	if err != nil {
		return fmt.Errorf("token: generate %s key: %w", alg, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("token: generate %s key: %w", alg, err)
	}
	if err := writeOnce(f.signing(), text); err != nil {
		return fmt.Errorf("token: generate %s key: %w", alg, err)
	}
	return nil
}

func (f Folder) signing() string { return filepath.Join(f.Dir, f.Alg+".key") }

// staged is the file of a key that verifies and has no end.
func (f Folder) staged(kid string) string { return filepath.Join(f.Dir, f.Alg+"-"+kid+".key") }

// retiring is the file of a key that verifies until end.
func (f Folder) retiring(kid string, end time.Time) string {
	return filepath.Join(f.Dir, f.Alg+"-"+kid+endMark+end.UTC().Format(endLayout)+".key")
}

// keyFile is one file of a folder, read and parsed.
type keyFile struct {
	name string
	text []byte
	*key
}

// load makes a set of the folder's keys. It leaves out keys that have ended and
// files that are no good; for the latter it returns an error beside the set.
// The set is nil if the folder cannot be read at all.
func (f Folder) load(now time.Time) (*KeySet, error) {
	if err := checkAlgorithm(f.Alg); err != nil {
		return nil, err
	}
	files, bad := f.read(now)
	if files == nil {
		return nil, bad
	}
	var signing *key
	var others []*key
	sum := sha256.New()
	for _, file := range files {
		if file.name == f.signing() {
			signing = file.key
		} else {
			others = append(others, file.key)
		}
		sum.Write(binary.BigEndian.AppendUint64([]byte(file.name), uint64(len(file.text))))
		sum.Write(file.text)
	}
	// Of a key in two files, which is an error already, the one that ends counts.
	slices.SortStableFunc(others, func(a, b *key) int { return cmp.Compare(unlimited(a), unlimited(b)) })
	ks, err := newKeySet(signing, others...)
	if err != nil {
		return nil, err
	}
	if bad == nil {
		ks.source = [sha256.Size]byte(sum.Sum(nil))
	}
	return ks, bad
}

func unlimited(k *key) int {
	if k.end == 0 {
		return 1
	}
	return 0
}

// read reads the folder's files, the one that signs first: whatever another
// process renames meanwhile, a key that signed when read began is among them,
// and a name that is gone when its turn comes has only moved. Read again then.
func (f Folder) read(now time.Time) ([]keyFile, error) {
	for range 10 {
		files, moved, err := f.readOnce(now)
		if !moved {
			return files, err
		}
	}
	return nil, fmt.Errorf("token: keys in %s: the folder does not keep still", f.Dir)
}

func (f Folder) readOnce(now time.Time) (files []keyFile, moved bool, bad error) {
	files = []keyFile{}
	add := func(name string, end time.Time) {
		file, err := f.readFile(name, end)
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == f.signing():
			bad = errors.Join(bad, fmt.Errorf("token: no %s key in %s: generate one first: %w", f.Alg, f.Dir, err))
		case errors.Is(err, fs.ErrNotExist):
			moved = true
		case err != nil:
			bad = errors.Join(bad, err)
		default:
			files = append(files, file)
		}
	}
	add(f.signing(), time.Time{})
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return nil, false, errors.Join(bad, fmt.Errorf("token: keys: %w", err))
	}
	for _, e := range entries {
		name, end, ok, err := f.endOf(e.Name())
		bad = errors.Join(bad, err)
		if ok && (end.IsZero() || now.Before(end)) {
			add(name, end)
		}
	}
	return files, moved, errors.Join(bad, twice(files, f.signing()))
}

// endOf tells whether a name is that of a key that verifies, and when it ends.
func (f Folder) endOf(name string) (path string, end time.Time, ok bool, err error) {
	rest, isOurs := strings.CutPrefix(name, f.Alg+"-")
	rest, isKey := strings.CutSuffix(rest, ".key")
	if !isOurs || !isKey {
		return "", time.Time{}, false, nil
	}
	path = filepath.Join(f.Dir, name)
	if _, text, limited := strings.Cut(rest, endMark); limited {
		if end, err = time.Parse(endLayout, text); err != nil {
			return "", time.Time{}, false, fmt.Errorf("token: key %s: want its end as %s%s", path, endMark, endLayout)
		}
	}
	return path, end, true, nil
}

func (f Folder) readFile(name string, end time.Time) (keyFile, error) {
	text, err := readKeyFile(name)
	if err != nil {
		return keyFile{}, err
	}
	k, err := parseKey(text, f.Alg)
	if err != nil {
		return keyFile{}, fmt.Errorf("token: key %s: %w", name, err)
	}
	if !end.IsZero() {
		k.end = end.Unix()
	}
	return keyFile{name, text, k}, nil
}

// twice finds a key that two files hold. The one that signs may have another
// file, under its own name.
func twice(files []keyFile, signing string) error {
	seen := map[string]bool{}
	for _, file := range files {
		if file.name == signing {
			continue
		}
		if seen[file.id] {
			return fmt.Errorf("token: key %s is there twice: remove one of its files, such as %s", file.id, file.name)
		}
		seen[file.id] = true
	}
	return nil
}

func checkAlgorithm(alg string) error {
	if slices.Contains(Algorithms(), alg) {
		return nil
	}
	return fmt.Errorf("token: unknown algorithm %q: want one of %s", alg, strings.Join(Algorithms(), ", "))
}
