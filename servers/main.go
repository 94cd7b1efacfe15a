// Command server runs one replica of one arm: one way to authenticate, behind
// the same routes, handlers and limits as every other.
//
// In come flags (see -h) or their environment variables; out go a public
// listener (package api), a private one for metrics, configuration and minting,
// one line of JSON on standard output once both serve, and structured logs on
// standard error. What GET /config answers is type settings, field by field; what
// POST /mint takes and gives is in package api. Exit status: 0 after a clean stop, 1 if it could not run, 2
// for flags that make no sense. `server keys` changes the signing keys under
// running replicas (see server keys -h), and `server health` asks one whether it
// is ready (see server health -h).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9/logging"

	"authbench/servers/api"
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "keys":
			changeKeys(os.Args[2:])
			return
		case "health":
			askHealth(os.Args[2:])
			return
		}
	}
	cfg, err := parseConfig(os.Args[1:], lookupEnv, os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "server: %v\n", err)
		os.Exit(2)
	}
	// go-redis would log each failed connection in a form of its own. The errors
	// come back to us as well, and are logged once.
	logging.Disable()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, cfg, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "server: %s\n", oneLine(err))
		os.Exit(1)
	}
}

// changeKeys is main for `server keys`: status 0, or 1 if nothing came of it.
func changeKeys(args []string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := keysCommand(ctx, args, os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "server keys: %s\n", oneLine(err))
		os.Exit(1)
	}
}

// askHealth is main for `server health`: status 0 if the replica is ready, else 1.
func askHealth(args []string) {
	if err := healthCommand(context.Background(), args, lookupEnv, os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "server health: %s\n", oneLine(err))
		os.Exit(1)
	}
}

// oneLine is the text of an error in one line: some libraries' have several.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// Limits of a connection. The longest honest request is a log-in that waits
// its turn for a processor.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 15 * time.Second
	// keepAlive is longer than what balancers keep idle connections for, so
	// that they and not we close first: else a request meets a closing door.
	keepAlive = 120 * time.Second
	// net/http allows 4 KiB more than it is told: 16 KiB in all. On a connection
	// that is used again, it has read up to 4 KiB ahead before it counts.
	maxHeaderBytes = 12 << 10
)

// run serves until ctx ends, then drains. It prints where it listens to stdout
// once both listeners serve.
func run(ctx context.Context, cfg Config, stdout, stderr io.Writer) error {
	log := slog.New(slog.NewJSONHandler(stderr, nil)).With("replica", cfg.Replica)
	metrics := api.NewMetrics()
	arm, err := newArm(ctx, cfg, metrics)
	defer arm.close()
	if err != nil {
		return err
	}
	warn(log, cfg)
	debug.FreeOSMemory() // hashing the seed's password took many times what an idle replica needs

	public, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("-listen (port 0 picks a free one): %w", err)
	}
	defer public.Close()
	private, err := net.Listen("tcp", cfg.Private)
	if err != nil {
		return fmt.Errorf("-private (port 0 picks a free one): %w", err)
	}
	defer private.Close()

	transport := cfg.transport()
	a := api.New(api.Config{
		Auth: arm.auth, Accounts: arm.accounts, Transport: transport, Replica: cfg.Replica,
		Bound: cfg.revocationBound(), Leeway: cfg.leeway(),
		VerifyOnly: cfg.kind.foreign, Now: cfg.Now, JWKS: arm.jwks, Checks: arm.checks, AlwaysReady: cfg.Readiness == "always",
		Metrics: metrics, Log: log,
	})
	p := api.NewPrivate(api.PrivateConfig{
		Settings: cfg.settings(public.Addr().String(), private.Addr().String()),
		Metrics:  metrics, Mint: cfg.Mint, Auth: arm.auth, Transport: transport, Hosts: cfg.privateHosts(),
	})
	sweeping, stopSweeping := context.WithCancel(ctx)
	defer stopSweeping()
	go arm.sweep(sweeping, cfg.Sweep, log)
	following, stopFollowing := context.WithCancel(context.WithoutCancel(ctx)) // while draining too
	defer stopFollowing()
	go arm.followKeys(following, cfg, log)

	ready := map[string]string{"listen": public.Addr().String(), "private": private.Addr().String(), "replica": cfg.Replica}
	all := servers{
		api: a, publicOn: problemListener{public}, privateOn: private,
		public: newServer(working(a, cfg.ExtraWork), log, writeTimeout), private: newServer(p, log, 0), // minting may take long
		open: new(connections),
	}
	all.public.ConnState = all.open.watch
	return serve(ctx, cfg, log, all, func() error { return json.NewEncoder(stdout).Encode(ready) })
}

// servers are the two listeners of a replica and what they serve.
type servers struct {
	api             *api.API
	public, private *http.Server
	publicOn        problemListener
	privateOn       net.Listener
	open            *connections // of the public one
}

func newServer(h http.Handler, log *slog.Logger, write time.Duration) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      write,
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// serve runs both servers until ctx ends or one of them fails, then drains:
// not ready any more, then no new connections, then one more request on each
// connection that there is, then the requests in flight.
//
// The third step is for requests that a balancer must not send twice, such as a
// change of password: one that is refused a connection goes to another replica,
// but one that meets a connection just being closed may have been served, and is
// lost. So idle connections stay open until they are used, and the answer tells
// the balancer not to use them again. For the same reason nobody is left in the
// queue of the listener.
func serve(ctx context.Context, cfg Config, log *slog.Logger, s servers, ready func() error) error {
	failed, accepted := make(chan error, 2), make(chan struct{})
	go func() {
		failed <- s.public.Serve(s.publicOn)
		close(accepted)
	}()
	go func() { failed <- s.private.Serve(s.privateOn) }()
	if err := ready(); err != nil {
		return fmt.Errorf("say where it listens: %w", err)
	}
	log.Info("serving", "arm", cfg.kind.name, "listen", s.publicOn.Addr().String(), "private", s.privateOn.Addr().String())
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.Info("draining")
	s.api.Drain()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-time.After(cfg.DrainDelay):
	}
	s.api.CloseConnections()
	s.public.Serve(s.publicOn.last())
	<-accepted
	s.open.wait(cfg.DrainIdle)
	within, cancel := context.WithTimeout(context.Background(), cfg.Drain)
	defer cancel()
	// The private listener goes last: the end of a run is read from it.
	err := s.public.Shutdown(within)
	s.private.Close()
	if err != nil {
		return fmt.Errorf("requests were still in flight after -drain %v: %w", cfg.Drain, err)
	}
	return nil
}

func warn(log *slog.Logger, cfg Config) {
	if cfg.kind.carrier == api.CarrierNone {
		log.Warn("-auth none: everybody passes; for measuring only")
	}
	if cfg.InsecureCookies {
		log.Warn("-insecure-cookies: credentials travel in cookies without Secure and __Host-")
	}
	if cfg.kind.flags["denylist"] != "" && cfg.DenylistFail == failOpen {
		log.Warn("-denylist-fail open: while the denylist's store does not answer revoked tokens are accepted")
	}
	if cfg.ExtraWork > 0 {
		log.Warn("-extra-work: every request burns CPU time for nothing; for testing a measurement only", "time", cfg.ExtraWork.String())
	}
	if cfg.ClockShift != 0 {
		log.Warn("-clock-shift: this replica's clock is wrong on purpose; for tests only", "time", cfg.ClockShift.String())
	}
	if cfg.Force {
		log.Warn("-force: accounts with a public password, minted credentials, wasted work or a wrong clock may be reachable from a network")
	}
}
