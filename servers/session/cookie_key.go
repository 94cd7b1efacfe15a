package session

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// cookieKeyFile holds the key of client-side sessions, in base64.
const cookieKeyFile = "session.key"

// LoadCookieKey returns the key that dir holds for client-side sessions, after
// making one if there is none. Of several replicas that start at once exactly
// one makes it, and all load the same. A file that others may read or that the
// group may write is refused.
func LoadCookieKey(dir string) ([]byte, error) {
	name := filepath.Join(dir, cookieKeyFile)
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		if err := makeCookieKey(dir, name); err != nil {
			return nil, fmt.Errorf("make session key: %w", err)
		}
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return nil, fmt.Errorf("session key %s has mode %#o: keep it from others with chmod 600", name, mode)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != KeyBytes {
		return nil, fmt.Errorf("session key %s: want %d bytes in base64", name, KeyBytes)
	}
	return key, nil
}

// makeCookieKey makes a whole file appear under name, unless there is one.
func makeCookieKey(dir, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".new-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	key := make([]byte, KeyBytes)
	rand.Read(key) // never fails
	_, err = tmp.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
