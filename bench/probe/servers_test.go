package probe_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"authbench/bench/process"
)

// The real programs, each on a free loopback port, gone when the test ends.

func ledger(t *testing.T) *process.Ledger {
	t.Helper()
	if testing.Short() {
		t.Skip("starts nginx, Redis or PostgreSQL: make test")
	}
	l, _, err := process.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start starts a program and waits until ready succeeds.
func start(t *testing.T, l *process.Ledger, c process.Command, ready func() error) *process.Process {
	t.Helper()
	p, err := l.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err := p.Died(); err != nil {
			t.Fatal(err)
		}
		if last = ready(); last == nil {
			return p
		}
	}
	t.Fatalf("%s is not ready: %v; its log: %s", c.Name, last, p.Tail())
	return nil
}

func listens(port int) func() error {
	return func() error {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err
	}
}

func startRedis(t *testing.T, l *process.Ledger) (url string, p *process.Process) {
	t.Helper()
	port := freePort(t)
	p = start(t, l, process.Command{Name: "redis", Path: "redis-server", Dir: l.Dir(),
		Args: []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"}}, listens(port))
	return fmt.Sprintf("redis://127.0.0.1:%d/0", port), p
}

func startNginx(t *testing.T, l *process.Ledger) (url string) {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx"
	}
	port, dir := freePort(t), l.Dir()
	config := fmt.Sprintf(`daemon off; pid %[1]s/nginx.pid; error_log stderr; events {}
http {
	access_log off;
	client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
	server { listen 127.0.0.1:%[2]d; location / { return 204; } location = /status { stub_status; } }
}`, dir, port)
	if os.Getuid() == 0 {
		config = "user root;" + config // the runtime folder is ours alone
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, l, process.Command{Name: "nginx", Path: path, Args: []string{"-c", file, "-p", dir, "-e", "stderr"}, StopSignal: syscall.SIGTERM},
		listens(port))
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}

// startPostgres returns the URL of a fresh cluster's own database.
func startPostgres(t *testing.T, l *process.Ledger, settings ...string) (url string, p *process.Process) {
	t.Helper()
	bin, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bin) == 0 {
		path, err := exec.LookPath("initdb")
		if err != nil {
			t.Fatal("there is no PostgreSQL: run `make setup`")
		}
		bin = []string{filepath.Dir(path)}
	}
	dir, err := l.Folder("postgres")
	if err != nil {
		t.Fatal(err)
	}
	credential := ordinaryUser(t, dir)
	name, port := "probe", freePort(t)
	initdb := exec.Command(filepath.Join(bin[len(bin)-1], "initdb"), "-D", filepath.Join(dir, "data"), "-U", name, "-A", "trust", "-E", "UTF8",
		"--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: credential}
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	args := []string{"-D", filepath.Join(dir, "data"), "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "autovacuum=off"}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	url = fmt.Sprintf("postgres://%s@127.0.0.1:%d/postgres", name, port)
	p = start(t, l, process.Command{Name: "postgres", Path: filepath.Join(bin[len(bin)-1], "postgres"), Args: args, Dir: dir,
		Credential: credential, StopSignal: syscall.SIGINT}, func() error {
		c, err := pgx.Connect(context.Background(), url)
		if err == nil {
			c.Close(context.Background())
		}
		return err
	})
	return url, p
}

// ordinaryUser hands dir to a user that PostgreSQL agrees to run as: us, unless
// we are root.
func ordinaryUser(t *testing.T, dir string) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	t.Fatal("there is no user postgres or nobody to run PostgreSQL as")
	return nil
}
