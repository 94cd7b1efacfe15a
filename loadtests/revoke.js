// Question:  how long does a credential go on working after its user has logged out, on any replica?
// Method:    each VU is a seat on which users sit one after the other. It logs a user in through the balancer, sees at
//            least one replica accept the credential, logs out through the balancer, and then offers the old credential
//            to every replica directly, each POLL ms, until all have refused it for a second or WATCH seconds are over.
//            A user who is accepted in a request that began after the log-out's answer was let in.
//            Lag = start of the last request that was answered 2xx - arrival of the log-out's answer; 0 where there
//            was none. Its resolution is the poll interval.
// Expected:  sessions: 0 (they end at once); a bare JWT: the rest of its life.
// Refuted:   a session that any replica still accepts; a JWT that dies before its expiry, or outlives it.
// By hand:   k6 run -e BASE_URL=http://127.0.0.1:8080 -e REPLICAS=http://127.0.0.1:8081,http://127.0.0.1:8082 \
//              -e AUTH=jwt -e WATCH=65 loadtests/revoke.js
// Settings:  USERS 10, SEATS (as many; fewer keep the polls of many users within what one CPU can send), POLL 10 ms,
//            WATCH 10 s, STAGGER 20 ms between the first log-ins; see also lib/user.js.
// Samples, one line a user (see lib/summary.js): revocation_lag_seconds; remaining_life_seconds at the log-out, -1
//            if unknown; declared_bound_seconds that the log-out's answer declared, -1 if it did not.

import { sleep } from 'k6';
import exec from 'k6/execution';
import { choice, count, number, urls } from './lib/settings.js';
import { AUTH, explain, judge, logIn, logOut, meAt, succeeded, userName } from './lib/user.js';
import { counter, neither, sample, summary, summaryTrendStats } from './lib/summary.js';

choice('AUTH', AUTH, ['session', 'jwt']);
const USERS = count('USERS', 10);
const SEATS = Math.min(count('SEATS', USERS), USERS);
const POLL = number('POLL', 10, 1);
const WATCH = number('WATCH', 10, 1);
const STAGGER = number('STAGGER', 20);
const REPLICAS = urls('REPLICAS');

const usersLoggedOut = counter('users_logged_out'); // whose credential had worked before
const unauthorized = counter('unauthorized_successes'); // 2xx after the log-out
const letIn = counter('users_let_in'); // with one or more of these
const refused = counter('refused_requests'); // 401 after the log-out
const failed = counter('failed_requests'); // neither: 5xx, no connection
const unexpected = counter('unexpected_answers'); // neither, such as a redirect to a log-in page
const wrongUser = counter('wrong_user');
const stillAlive = counter('still_alive_users'); // accepted in WATCH's last second: the lag is a lower bound

export const options = {
  scenarios: { users: { executor: 'per-vu-iterations', vus: SEATS, iterations: Math.ceil(USERS / SEATS), maxDuration: `${(WATCH + 5) * Math.ceil(USERS / SEATS) + 120}s` } },
  thresholds: {
    users_logged_out: [`count==${USERS}`],
    refused_requests: AUTH === 'session' ? ['count>0'] : [],
    wrong_user: ['count<1'],
    failed_requests: ['count<1'],
    unexpected_answers: ['count<1'],
  },
  summaryTrendStats,
};

export default function () {
  const index = exec.vu.idInTest - 1 + exec.vu.iterationInScenario * SEATS;
  if (index >= USERS) return; // this seat has a user less
  if (index < SEATS) sleep((index * STAGGER) / 1000);
  const user = logIn(userName(index));
  const before = REPLICAS.map((base) => meAt(base, user));
  if (!before.some((answer) => judge(answer, user) === 'accepted')) {
    if (before.some((answer) => answer.status === 0 || answer.status >= 500)) return turnedAway(user, 'the first request', before[0]);
    throw new Error(`${user.name} has logged in, and no replica accepts the credential: what is there to revoke? (${explain(before[0])})`);
  }
  const goodbye = logOut(user);
  const loggedOut = Date.now();
  if (!succeeded(goodbye)) return turnedAway(user, 'the log-out', goodbye);
  usersLoggedOut.add(1);

  const lastAccepted = watch(user, loggedOut);
  if (lastAccepted > 0) letIn.add(1);
  if (Date.now() - lastAccepted < 1000) stillAlive.add(1);
  const bound = goodbye.headers['X-Revocation-Bound'];
  sample({
    revocation_lag_seconds: lastAccepted > 0 ? (lastAccepted - loggedOut) / 1000 : 0,
    remaining_life_seconds: user.expires > 0 ? (user.expires - loggedOut) / 1000 : -1,
    declared_bound_seconds: bound === undefined ? -1 : Number(bound),
  });
}

// turnedAway counts a user with whom there is nothing to watch: the thresholds say so at the end.
function turnedAway(user, from, answer) {
  (answer.status >= 300 && answer.status < 400 ? unexpected : failed).add(1);
  console.warn(`${user.name}: ${from}: ${explain(answer)}`);
}

// watch returns when the last request that was accepted had started, 0 if none was.
function watch(user, loggedOut) {
  let lastAccepted = 0;
  let alive = loggedOut; // when it was last not refused everywhere
  let told = false;
  while (Date.now() - loggedOut < WATCH * 1000 && Date.now() - alive < 1000) {
    const round = Date.now();
    for (const base of REPLICAS) {
      const started = Date.now();
      const answer = meAt(base, user);
      const meaning = judge(answer, user);
      if (meaning === 'refused') {
        refused.add(1);
        continue;
      }
      alive = started;
      if (meaning === 'accepted' || meaning === 'wrong_user') {
        unauthorized.add(1);
        lastAccepted = started;
        if (meaning === 'wrong_user') wrongUser.add(1);
        continue;
      }
      (meaning === 'unexpected' ? unexpected : failed).add(1);
      if (!told) console.warn(`${user.name} after the log-out: ${explain(answer)}`);
      told = true; // once for each user is enough
    }
    sleep(Math.max(0, POLL - (Date.now() - round)) / 1000);
  }
  return lastAccepted;
}

export const handleSummary = summary((n) => [
  `${n.users_logged_out} of ${USERS} users logged out (AUTH=${AUTH}); then ${REPLICAS.length} replicas, every ${POLL} ms:`,
  `${n.users_let_in} users let in again: ${n.unauthorized_successes} requests still accepted, ${n.refused_requests} refused, ${n.failed_requests} failed, ${n.wrong_user} answered for another user`,
  ...neither(n.unexpected_answers),
  `${n.still_alive_users} credentials still worked when their watch ended${n.still_alive_users > 0 ? ': give a longer WATCH' : ''}`,
]);
