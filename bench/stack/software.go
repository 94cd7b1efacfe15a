package stack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"authbench/bench/trial"
)

// Software lists the programs that take part, with what they say of their
// version and the hash of the file that runs.
func (n *Native) Software(ctx context.Context) ([]trial.Software, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var all []trial.Software
	for _, p := range []struct{ name, path, flag string }{
		{"server", n.programs.server, ""}, {"nginx", n.programs.nginx, "-v"}, {"redis-server", n.programs.redis, "--version"}, {"postgres", n.programs.postgres, "--version"},
	} {
		s := trial.Software{Name: p.name}
		var err error
		if s.SHA256, err = fileHash(p.path); err != nil {
			return nil, fmt.Errorf("identify %s: %w", p.name, err)
		}
		if s.Version, err = version(ctx, p.path, p.flag); err != nil {
			return nil, fmt.Errorf("identify %s: %w", p.name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// version asks a program; the server, without a flag for it, is built by Go,
// which leaves its own version in the file.
func version(ctx context.Context, path, flag string) (string, error) {
	if flag == "" {
		return goVersion(path)
	}
	out, err := exec.CommandContext(ctx, path, flag).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	return string(line), nil
}

// goVersion is what the server was built with.
func goVersion(path string) (string, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "", err
	}
	return info.GoVersion, nil
}

func fileHash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
