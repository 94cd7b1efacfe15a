package storetest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres starts a PostgreSQL of its own with fsync off: a crash of the
// machine may lose data, a crash of the server does not. It refuses to run as
// root, so a test that is root runs it as another user.
func Postgres(tb testing.TB) *Server {
	tb.Helper()
	skipShort(tb, "PostgreSQL")
	const install = "apt-get install postgresql"
	initdb := find(tb, "initdb", install, "/usr/lib/postgresql/*/bin/initdb", "/usr/local/pgsql/bin/initdb")
	postgres := find(tb, "postgres", install, "/usr/lib/postgresql/*/bin/postgres", "/usr/local/pgsql/bin/postgres")
	who := ordinaryUser(tb)
	dir := tempDir(tb)
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			tb.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGQUIT}
		return cmd
	}
	out, err := command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		tb.Fatalf("initdb: %v\n%s", err, out)
	}
	return launch(tb, func(port int) *Server {
		s := &Server{
			URL:     fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port),
			stop:    syscall.SIGQUIT,
			logFile: filepath.Join(dir, "postgres.log"),
			command: func() *exec.Cmd {
				return command(postgres, "-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
					"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB")
			},
		}
		s.alive = func() error { return exec1(s.URL, `SELECT 1`) }
		return s
	})
}

// Database creates an empty database in a PostgreSQL server and returns its URL.
func (s *Server) Database(name string) string {
	s.tb.Helper()
	if err := exec1(s.URL, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()); err != nil {
		s.tb.Fatalf("create database %s: %v", name, err)
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		s.tb.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func exec1(url, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// ordinaryUser is whom to run PostgreSQL as: nil, meaning ourselves, unless we
// are root.
func ordinaryUser(tb testing.TB) *syscall.Credential {
	tb.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	tb.Fatal("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
	return nil
}
