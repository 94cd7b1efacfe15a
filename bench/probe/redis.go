package probe

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// redisSource reads INFO: redis_commands and redis_command_<name>,
// redis_net_input_bytes, redis_net_output_bytes, redis_keyspace_hits,
// redis_keyspace_misses.
//
// Commands of connecting and looking (redisChatter) are left out, whoever sent
// them: they are not work that a request asked for. SETRANGE is how a replica asks
// whether it may write. A script counts as itself
// and as the commands that it calls.
type redisSource struct {
	client         *redis.Client
	life           string
	sent, received float64 // bytes, by us, in this life
	last           float64 // bytes, of the last answer
}

var redisChatter = []string{"info", "config", "ping", "client", "hello", "auth", "select", "command", "quit", "reset", "setrange"}

const infoRequest = "*2\r\n$4\r\ninfo\r\n$3\r\nall\r\n"

func openRedis(_ context.Context, url string) (source, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("probe: Redis URL: %w", err)
	}
	o.PoolSize, o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = 1, -1, 1, true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = openingPatience, openingPatience, openingPatience // the context's is the bound
	// answers whose length on the wire is plain to see, and no greeting
	o.Protocol = 2
	o.DisableIdentity = true
	return &redisSource{client: redis.NewClient(o)}, nil
}

func (r *redisSource) read(ctx context.Context, counters map[string]float64) (life string, err error) {
	// The client writes to standard error when nobody listens, and then refuses to try again for a second: so look first.
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.client.Options().Addr)
	if err != nil {
		return "", wrong("Redis at "+r.client.Options().Addr, err)
	}
	conn.Close()
	text, err := r.client.Info(ctx, "all").Result()
	if err != nil {
		// A hung Redis reads and answers it when it goes on, with about as much as last time.
		r.sent += float64(len(infoRequest))
		r.received += r.last
		return "", wrong("Redis at "+r.client.Options().Addr, err)
	}
	if life = infoText(text, "run_id"); life != r.life {
		r.life, r.sent, r.received = life, 0, 0
	}
	r.sent += float64(len(infoRequest)) // counted before the answer is made
	fields := parseInfo(text)
	counters["redis_net_input_bytes"] = fields["total_net_input_bytes"] - r.sent
	counters["redis_net_output_bytes"] = fields["total_net_output_bytes"] - r.received
	r.last = float64(len("$\r\n\r\n") + len(strconv.Itoa(len(text))) + len(text))
	r.received += r.last
	counters["redis_keyspace_hits"] = fields["keyspace_hits"]
	counters["redis_keyspace_misses"] = fields["keyspace_misses"]
	counters["redis_commands"] = 0
	for field, calls := range fields {
		name, ok := strings.CutPrefix(field, "cmdstat_")
		if base, _, _ := strings.Cut(name, "|"); !ok || slices.Contains(redisChatter, base) {
			continue
		}
		counters["redis_commands"] += calls
		counters["redis_command_"+strings.ReplaceAll(name, "|", "_")] = calls
	}
	return life, nil
}

func (r *redisSource) close() error { return r.client.Close() }

// infoText is one field of an INFO answer as it stands there.
func infoText(text, field string) string {
	_, after, _ := strings.Cut(text, "\n"+field+":")
	value, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(value)
}

// parseInfo reads the numbers of an INFO answer; of a commandstats line, the
// calls.
func parseInfo(text string) map[string]float64 {
	fields := map[string]float64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if strings.HasPrefix(name, "cmdstat_") { // calls=21,usec=175,...
			value, _, _ = strings.Cut(strings.TrimPrefix(value, "calls="), ",")
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			fields[name] = n
		}
	}
	return fields
}
