-- Times are Unix milliseconds by the database's own clock: replicas' clocks
-- judge nothing. There is no index but the key: one on the deadline would have
-- to be maintained by every touch, and would keep updates from staying on their
-- page (HOT), for which fillfactor leaves the room.
CREATE TABLE sessions (
    id        bytea  PRIMARY KEY, -- SHA-256 of the client's secret
    subject   text   NOT NULL,
    role      text   NOT NULL,
    created   bigint NOT NULL,
    expires   bigint NOT NULL,
    last_seen bigint NOT NULL,
    idle_ms   bigint NOT NULL,
    deadline  bigint NOT NULL     -- the earlier of expires and last_seen + idle_ms
) WITH (fillfactor = 80);
