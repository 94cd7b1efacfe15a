// Question:  how long does a credential go on working after its user has logged out, on any replica?
// Method:    users log in and out through the balancer; then the old credential is offered to every replica directly:
//            see lib/watch.js, which also says what a lag is.
// Expected:  sessions: 0 (they end at once); a bare JWT: the rest of its life.
// Refuted:   a session that any replica still accepts; a JWT that dies before its expiry, or outlives it.
// By hand:   k6 run -e BASE_URL=http://127.0.0.1:8080 -e REPLICAS=http://127.0.0.1:8081,http://127.0.0.1:8082 \
//              -e AUTH=jwt -e WATCH=65 loadtests/revoke.js
// Settings:  see lib/watch.js and lib/user.js.

import { AUTH, logOut } from './lib/user.js';
import { watching } from './lib/watch.js';

const { options, sit, follow, handleSummary } = watching({
  change: 'the log-out',
  changed: 'users_logged_out', // whose credential had worked before
  accepted: 'unauthorized_successes', // 2xx after the log-out
  thresholds: { refused_requests: AUTH === 'session' ? ['count>0'] : [] },
});

export { options, handleSummary };

export default function () {
  const user = sit();
  if (user) follow(user, logOut(user));
}
