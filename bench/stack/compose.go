package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// compose runs the system as containers. What they are made of (images, users,
// read-only file systems, dropped capabilities) is what the project's
// docker-compose.yml says of its services session-1, nginx, redis and postgres;
// what a trial decides (flags, addresses, CPUs) is set here. They listen within a
// network of their own and are reached through ports published on loopback.
type compose struct {
	opts    Options
	ledger  *process.Ledger // of the files that containers read
	caps    Capabilities
	base    map[string]any // docker-compose.yml as Compose understands it
	project string         // name of our Compose project
	file    string         // the definition of what is being started
	reaper  *exec.Cmd      // cleans up if we are killed
	done    io.WriteCloser // its standard input
}

// Ports within containers. Each replica has a port of its own, by which nginx
// tells them apart.
const (
	replicaPort = 8000 // of replica 0
	privatePort = 9090
	nginxPort   = 8080
	statusPort  = 8099
)

// projectPrefix begins the name of every Compose project of ours; an owner's
// name follows.
const projectPrefix = "authbench-"

// NewCompose makes a runtime of containers: it removes what killed runs have
// left, builds the servers' image and pulls those that are missing. It starts no
// container yet.
func NewCompose(ctx context.Context, opts Options) (*Runtime, error) {
	e, err := findEngine(ctx)
	if err != nil {
		return nil, err
	}
	owner, err := process.OwnerName()
	if err != nil {
		return nil, err
	}
	l, leftovers, err := process.Open()
	if err != nil {
		return nil, err
	}
	c := &compose{opts: opts, ledger: l, project: projectPrefix + owner, file: filepath.Join(l.Dir(), "compose.json"),
		caps: e.capabilities()}
	const instead = ": use the native runtime"
	c.caps.NoProxy, c.caps.NoRelaunch = NoProxies+instead, NoRelaunches+instead
	warning := errors.Join(leftovers, sweepProjects(ctx))
	if err := c.open(ctx, e); err != nil {
		return nil, errors.Join(err, c.close())
	}
	rt := newRuntime(KindCompose, c, opts)
	if warning != nil {
		rt.warnings = append(rt.warnings, warning.Error())
	}
	if !e.CPUSet {
		rt.warnings = append(rt.warnings, "the Docker engine cannot bind containers to CPUs: they share the generator's")
	}
	return rt, nil
}

// open reads docker-compose.yml and gets the images.
func (c *compose) open(ctx context.Context, e engine) error {
	file := filepath.Join(c.opts.Project, "docker-compose.yml")
	// Not the .env beside it either: it is for those who bring the services up by hand.
	out, err := docker(ctx, "compose", "--project-name", c.project, "--env-file", os.DevNull, "--file", file, "config", "--format", "json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, &c.base); err != nil {
		return fmt.Errorf("%s as Compose prints it: %w", file, err)
	}
	if _, err := docker(ctx, "compose", "--project-name", c.project, "--env-file", os.DevNull, "--file", file,
		"--progress", "quiet", "build", "session-1"); err != nil {
		return fmt.Errorf("build the servers' image: %w", err)
	}
	for _, name := range []string{"session-1", "nginx", "redis", "postgres"} {
		s, ok := c.template(name)
		ref, _ := s["image"].(string)
		if !ok || ref == "" {
			return fmt.Errorf("%s has no service %s with an image, which containers are made after", file, name)
		}
		id, err := ensureImage(ctx, ref)
		if err != nil {
			return err
		}
		_, version, _ := strings.Cut(ref, ":")
		c.caps.Images = append(c.caps.Images, trial.Software{Name: "image " + ref, Version: version, SHA256: id})
	}
	c.caps.Images = append(c.caps.Images, trial.Software{Name: "docker", Version: e.ServerVersion})
	return c.startReaper()
}

// startReaper starts a process that removes the project when we end without
// having said that we did so ourselves: then its standard input ends.
func (c *compose) startReaper() error {
	cmd := exec.Command("sh", "-c", `read -r done || docker compose --project-name "$0" down --volumes --remove-orphans --timeout 0`,
		c.project)
	cmd.Env = process.DockerEnvironment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends us must not end it
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start what cleans up after us: %w", err)
	}
	c.reaper, c.done = cmd, stdin
	go cmd.Wait()
	return nil
}

// sweepProjects removes the projects of owners that are dead.
func sweepProjects(ctx context.Context) error {
	const label = "com.docker.compose.project"
	var errs []error
	gone := map[string]bool{}
	for _, kind := range []string{"container", "network", "volume"} {
		args := []string{kind, "ls", "--filter", "label=" + label, "--format", `{{.Label "` + label + `"}}`}
		if kind == "container" {
			args = append(args, "--all")
		}
		out, err := docker(ctx, args...)
		errs = append(errs, err)
		for project := range strings.FieldsSeq(string(out)) {
			if owner, ok := strings.CutPrefix(project, projectPrefix); ok && !gone[project] && process.OwnerIsDead(owner) {
				gone[project] = true
				errs = append(errs, removeProject(ctx, project))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("leftovers of an earlier run: %w", err)
	}
	return nil
}

func removeProject(ctx context.Context, project string) error {
	_, err := docker(ctx, "compose", "--project-name", project, "--progress", "quiet", "down", "--volumes", "--remove-orphans",
		"--timeout", "1")
	return err
}

func (c *compose) capabilities() Capabilities { return c.caps }

func (c *compose) close() error {
	var errs []error
	if c.reaper != nil {
		errs = append(errs, removeProject(context.Background(), c.project))
		if errs[0] == nil {
			io.WriteString(c.done, "done\n")
		}
		c.done.Close()
	}
	return errors.Join(append(errs, c.ledger.Close())...)
}

// template is a copy of a service of docker-compose.yml, without what a trial
// decides: limits, addresses, secrets, order, and health checks, whose work
// would fall into measured phases.
func (c *compose) template(name string) (map[string]any, bool) {
	services, _ := c.base["services"].(map[string]any)
	b, err := json.Marshal(services[name])
	if err != nil {
		return nil, false
	}
	var s map[string]any
	if json.Unmarshal(b, &s) != nil || s == nil {
		return nil, false
	}
	for _, key := range []string{"build", "configs", "cpus", "deploy", "depends_on", "labels", "mem_limit", "networks", "ports", "profiles",
		"restart", "secrets"} {
		delete(s, key)
	}
	s["healthcheck"] = map[string]any{"disable": true}
	volumes, _ := s["volumes"].([]any)
	for _, v := range volumes { // those without a name go with their container: a store starts empty
		if v, _ := v.(map[string]any); v["type"] == "volume" {
			delete(v, "source")
		}
	}
	return s, true
}

// program is a container to start.
type program struct {
	name     string // of the service
	template string // service of docker-compose.yml
	cpus     string // list
	ports    []int  // to publish on loopback
	set      map[string]any
}

// start starts programs at once and returns them in their order. After an error
// none of them is left.
func (c *compose) start(ctx context.Context, programs ...program) ([]*container, error) {
	n := 0
	for _, p := range programs {
		n += len(p.ports)
	}
	// The engine would choose ports, and others at the next start of the same container.
	return onFreePort(n, func(addr []string) ([]*container, error) { return c.startAt(ctx, addr, programs) })
}

// startAt publishes the programs' ports at loopback addresses, in their order.
func (c *compose) startAt(ctx context.Context, addr []string, programs []program) (started []*container, err error) {
	services, names := map[string]any{}, []string{}
	for _, p := range programs {
		s, ok := c.template(p.template)
		if !ok {
			return nil, fmt.Errorf("docker-compose.yml has no service %s", p.template)
		}
		maps.Copy(s, p.set)
		var ports []any
		for _, port := range p.ports {
			host, published, err := net.SplitHostPort(addr[0])
			if err != nil {
				return nil, err
			}
			addr = addr[1:]
			ports = append(ports, map[string]any{"target": port, "published": published, "host_ip": host, "protocol": "tcp"})
		}
		name := c.project + "-" + p.name
		s["ports"], s["container_name"] = ports, name
		if p.cpus != "" {
			s["cpuset"] = p.cpus
		}
		services[p.name], names = s, append(names, name)
	}
	if err := c.write(services); err != nil {
		return nil, err
	}
	// What has died before is removed with its volume: a store starts empty.
	if _, err := docker(ctx, append([]string{"container", "rm", "--force", "--volumes"}, names...)...); err != nil &&
		!strings.Contains(err.Error(), "No such container") {
		return nil, err
	}
	defer func() {
		if err != nil {
			_, rmErr := docker(context.WithoutCancel(ctx), append([]string{"container", "rm", "--force", "--volumes"}, names...)...)
			err = errors.Join(err, rmErr)
		}
	}()
	if _, err := docker(ctx, "compose", "--project-name", c.project, "--file", c.file, "--progress", "quiet", "up", "--detach", "--no-build",
		"--force-recreate", "--renew-anon-volumes"); err != nil {
		return nil, err
	}
	return inspect(ctx, names...)
}

// write writes the definition of the services to start; those that run already
// are no concern of it. It may hold a password.
func (c *compose) write(services map[string]any) error {
	keys := map[string]any{"keys": nil} // one volume for all replicas of the run
	b, err := json.MarshalIndent(map[string]any{"name": c.project, "services": services, "volumes": keys}, "", " ")
	if err == nil {
		err = os.WriteFile(c.file, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the Compose project: %w", err)
	}
	return nil
}

// one starts a program and waits until ok.
func (c *compose) one(ctx context.Context, p program, ok func(context.Context, *container) error) (*container, error) {
	started, err := c.start(ctx, p)
	if err != nil {
		return nil, err
	}
	u := started[0]
	u.serves = func(ctx context.Context) error { return ok(ctx, u) }
	return u, ready(ctx, p.name, u, u.serves)
}

// redis implements host.
func (c *compose) redis(ctx context.Context) (s store, err error) {
	const port = 6379
	// Only the project's network and loopback reach it, and it has no password.
	args := append([]string{"--bind", "0.0.0.0", "--protected-mode", "no", "--dir", "/data"}, redisArgs()...)
	// The image's own user writes a snapshot there if a fault asks for it, and we remove it again.
	if s.folder, err = c.ledger.Folder("redis"); err == nil {
		err = os.Chmod(s.folder, 0o777) // in a folder whose name nobody else can list
	}
	if err != nil {
		return s, err
	}
	data := []any{map[string]any{"type": "bind", "source": strings.ReplaceAll(s.folder, "$", "$$"), "target": "/data"}}
	u, err := c.one(ctx, program{name: "redis", template: "redis", cpus: c.opts.SystemCPUs, ports: []int{port},
		set: map[string]any{"entrypoint": []string{"redis-server"}, "command": args, "tmpfs": []string{}, "volumes": data}},
		func(ctx context.Context, u *container) error { return redisAnswers(ctx, u.address(port)) })
	if err != nil {
		return s, err
	}
	s.component, s.url, s.inside = u.component("redis", trial.StoreTier), "redis://"+u.address(port)+"/0",
		fmt.Sprintf("redis://redis:%d/0", port)
	return s, nil
}

// postgres implements host.
func (c *compose) postgres(ctx context.Context) (s store, err error) {
	const port = 5432
	password := rand.Text()
	args := append([]string{"postgres", "-c", "shared_preload_libraries=pg_stat_statements"}, postgresArgs()...)
	template, _ := c.template("postgres")
	given, _ := template["environment"].(map[string]any) // says where the data lies
	env := maps.Clone(given)
	if env == nil {
		env = map[string]any{}
	}
	maps.Copy(env, map[string]any{"POSTGRES_USER": postgresUser, "POSTGRES_PASSWORD": password, "POSTGRES_DB": "postgres"})
	u, err := c.one(ctx, program{name: "postgres", template: "postgres", cpus: c.opts.SystemCPUs, ports: []int{port},
		set: map[string]any{"command": args, "environment": env, "stop_signal": "SIGINT"}},
		func(ctx context.Context, u *container) error {
			s.url = postgresURL(u.address(port), password)
			return s.do(ctx, "SELECT 1")
		})
	if err != nil {
		return s, err
	}
	s.component, s.inside = u.component("postgres", trial.StoreTier), postgresURL(fmt.Sprintf("postgres:%d", port), password)
	return s, nil
}

// replicas implements host.
func (c *compose) replicas(ctx context.Context, launches []launch) (all []Replica, err error) {
	var programs []program
	for _, l := range launches {
		port := replicaPort + l.number
		// -force: what is not loopback within the container is published on loopback only.
		args := append(l.args(fmt.Sprintf("0.0.0.0:%d", port), fmt.Sprintf("0.0.0.0:%d", privatePort), "/keys"), "-force")
		programs = append(programs, program{name: string(l.place) + l.name, template: "session-1", cpus: l.cpus, ports: []int{port, privatePort},
			set: map[string]any{"command": args, "environment": l.env(),
				"volumes": []any{map[string]any{"type": "volume", "source": "keys", "target": "/keys"}}}})
	}
	started, err := c.start(ctx, programs...)
	if err != nil {
		return nil, fmt.Errorf("replicas do not start: %w", err)
	}
	for i, u := range started {
		l, port := launches[i], replicaPort+launches[i].number
		all = append(all, Replica{Name: l.name, URL: "http://" + u.address(port), PrivateURL: "http://" + u.address(privatePort),
			component: u.component(l.name, trial.ReplicaTier), upstream: fmt.Sprintf("%s%s:%d", l.place, l.name, port),
			says: []setting{{"pid", "1"}}})
	}
	for i, r := range all {
		started[i].serves = func(ctx context.Context) error { return answers(ctx, r.URL+"/healthz") }
		if err := ready(ctx, r.Name, started[i], func(ctx context.Context) error { return answers(ctx, r.URL+"/readyz") }); err != nil {
			return all, fmt.Errorf("replica %s does not start: %w", r.Name, err)
		}
	}
	return all, nil
}

// nginx implements host.
func (c *compose) nginx(ctx context.Context, p place, b trial.Balancer, replicas []Replica) (up balancer, err error) {
	// A name of its own each time: the container has this very file.
	file := filepath.Join(c.ledger.Dir(), fmt.Sprintf("nginx-%d.conf", time.Now().UnixNano()))
	up.rewrite = func(replicas []Replica, generation int) error {
		replicas = slices.Clone(replicas)
		for i, r := range replicas {
			if _, port, err := net.SplitHostPort(r.upstream); r.out && err == nil { // a container that has ended has no name
				replicas[i].upstream = "127.0.0.1:" + port
			}
		}
		conf := newNginxConfig("0.0.0.0:"+strconv.Itoa(nginxPort), "0.0.0.0:"+strconv.Itoa(statusPort), b, replicas)
		conf.Files, conf.Connections = 16384, 8192 // engines commonly allow as many; our own limit says nothing about theirs
		conf.Generation = generation
		return conf.write(file)
	}
	if err := up.rewrite(replicas, 0); err != nil {
		return up, err
	}
	const inside = "/etc/authbench/nginx.conf"
	u, err := c.one(ctx, program{name: string(p) + "nginx", template: "nginx", cpus: c.opts.SystemCPUs, ports: []int{nginxPort, statusPort},
		set: map[string]any{
			"entrypoint": []string{"nginx", "-e", "stderr", "-p", "/tmp", "-c", inside}, "command": []string{},
			"volumes": []any{map[string]any{"type": "bind", "source": strings.ReplaceAll(file, "$", "$$"), "target": inside, "read_only": true}},
		}}, func(ctx context.Context, u *container) error {
		up.url, up.statusURL = "http://"+u.address(nginxPort), "http://"+u.address(statusPort)
		return answers(ctx, up.statusURL+"/status")
	})
	if err != nil {
		return up, fmt.Errorf("nginx does not start: %w", err)
	}
	up.components = []*Component{u.component("nginx", trial.BalancerTier)}
	if f, ok := findForwarder(u.address(nginxPort)); ok {
		if c.opts.SystemCPUs != "" {
			if err := process.Pin(f.id.PID, c.opts.SystemCPUs); err != nil {
				up.warning = fmt.Sprintf("the engine's forwarder may run on the generator's CPU: %v", err)
			}
		}
		up.components = append(up.components, &Component{name: "docker-proxy", tier: trial.BalancerTier, unit: f})
	} else {
		up.warning = "the engine's forwarder to nginx (docker-proxy) was not found: its CPU is in no figure"
	}
	return up, nil
}
