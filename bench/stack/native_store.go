package stack

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// redis implements host.
func (n *native) redis(ctx context.Context) (s store, err error) {
	dir, err := n.userFolder("redis")
	if err != nil {
		return s, err
	}
	if s.component, err = n.component("", "redis", trial.StoreTier); err != nil {
		return s, err
	}
	_, err = onFreePort(1, func(addr []string) (*child, error) {
		host, port, err := net.SplitHostPort(addr[0])
		if err != nil {
			return nil, err
		}
		s.url = "redis://" + addr[0] + "/0"
		return n.child(ctx, s.component, process.Command{
			Name: "redis", Path: n.programs.redis, Dir: dir,
			Args: append([]string{"--bind", host, "--port", port, "--dir", dir}, redisArgs()...),
			CPUs: n.opts.SystemCPUs, Credential: n.user.credential(),
			StopSignal: syscall.SIGTERM, DeathSignal: syscall.SIGKILL,
		}, func(ctx context.Context) error { return redisAnswers(ctx, addr[0]) })
	})
	s.inside, s.folder = s.url, dir
	return s, err
}

// postgres implements host: a cluster of its own in the runtime folder.
func (n *native) postgres(ctx context.Context) (s store, err error) {
	dir, err := n.userFolder("postgres")
	if err != nil {
		return s, err
	}
	if s.component, err = n.component("", "postgres", trial.StoreTier); err != nil {
		return s, err
	}
	data, password := filepath.Join(dir, "data"), rand.Text()
	if err := n.initdb(dir, data, password); err != nil {
		return s, err
	}
	_, err = onFreePort(1, func(addr []string) (*child, error) {
		host, port, err := net.SplitHostPort(addr[0])
		if err != nil {
			return nil, err
		}
		args := append([]string{"-D", data, "-c", "listen_addresses=" + host, "-c", "port=" + port,
			"-c", "unix_socket_directories=", // its path may be too long for a socket; nobody needs one
			"-c", "dynamic_shared_memory_type=mmap", // in the data folder, where it cannot be left behind
		}, postgresArgs()...)
		if n.hasStatements() {
			args = append(args, "-c", "shared_preload_libraries=pg_stat_statements")
		}
		s.url = postgresURL(addr[0], password)
		u, err := n.child(ctx, s.component, process.Command{
			Name: "postgres", Path: n.programs.postgres, Args: args, Dir: dir,
			CPUs: n.opts.SystemCPUs, Credential: n.user.credential(),
			// Immediate shutdown: the data is thrown away, and shared memory is still released.
			StopSignal: syscall.SIGQUIT, DeathSignal: syscall.SIGQUIT,
		}, func(ctx context.Context) error { return s.do(ctx, "SELECT 1") })
		if err == nil {
			u.polite = syscall.SIGINT // a restart finds the data in order, and its statistics
		}
		return u, err
	})
	s.inside = s.url
	return s, err
}

// initdb makes the cluster, anew if there is one from a PostgreSQL that died.
func (n *native) initdb(dir, data, password string) error {
	if err := os.RemoveAll(data); err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	file := filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	defer os.Remove(file)
	if err := n.user.own(file); err != nil {
		return err
	}
	p, err := n.ledger.Start(process.Command{
		Name: "initdb", Path: n.programs.initdb, Dir: dir, Credential: n.user.credential(), CPUs: n.opts.SystemCPUs,
		Args: []string{"-D", data, "-U", postgresUser, "--auth=scram-sha-256", "--pwfile=" + file, "--no-sync", "--no-instructions",
			"--locale=C", "--encoding=UTF8"},
	})
	if err == nil {
		err = p.Wait()
	}
	if err != nil {
		return fmt.Errorf("make the cluster: %w", err)
	}
	return nil
}

// hasStatements says whether the extension that counts statements is installed.
func (n *native) hasStatements() bool {
	real, err := filepath.EvalSymlinks(n.programs.postgres)
	if err != nil {
		return false
	}
	prefix := filepath.Dir(filepath.Dir(real))
	for _, lib := range []string{"lib", "lib64", "lib/postgresql", "lib64/pgsql"} {
		if _, err := os.Stat(filepath.Join(prefix, lib, "pg_stat_statements.so")); err == nil {
			return true
		}
	}
	return false
}
