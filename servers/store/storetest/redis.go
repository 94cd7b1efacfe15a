package storetest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis starts a redis-server that writes nothing to disk.
func Redis(tb testing.TB) *Server {
	tb.Helper()
	skipShort(tb, "Redis")
	bin := find(tb, "redis-server", "apt-get install redis-server")
	dir := tempDir(tb)
	return launch(tb, func(port int) *Server {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		return &Server{
			URL:     "redis://" + addr + "/0",
			stop:    syscall.SIGKILL,
			logFile: filepath.Join(dir, "redis.log"),
			command: func() *exec.Cmd {
				cmd := exec.Command(bin, "--port", strconv.Itoa(port), "--bind", "127.0.0.1",
					"--save", "", "--appendonly", "no", "--dir", dir, "--maxmemory-policy", "noeviction")
				cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
				return cmd
			},
			alive: func() error {
				client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second})
				defer client.Close()
				return client.Ping(context.Background()).Err()
			},
		}
	})
}
