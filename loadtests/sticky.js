// Question:  whose sessions are lost behind a balancer that spreads one user's requests over several replicas?
// Method:    every VU is a seat with a source address of its own, on which users sit one after the other, each with a
//            cookie jar of its own. A user logs in once, then asks /me as fast as it is answered (a closed loop: it
//            counts answers and says nothing about latency). Nobody logs in again. A valid user who is answered 401
//            has lost the session. Requests of one user share one session, so users are what is counted in.
// Expected:  sessions in each replica's memory, N replicas, no stickiness: 1 - 1/N of all requests are lost.
//            With stickiness, a shared store or a JWT: none.
// Refuted:   by any other share; with none lost of n users, the true share of users is below 3/n (95 %).
// By hand:   k6 run -e BASE_URL=http://127.0.0.1:8080 -e AUTH=session loadtests/sticky.js
//            and for a balancer that hashes addresses: --local-ips 127.0.1.1,127.0.2.1,127.0.3.1 (one a seat; the
//            third number must differ, for that is all ip_hash looks at)
// Settings:  USERS 24, SEATS 24 (at most one a user), REQUESTS 10000 in all (rounded up to as many for each user),
//            CLIENT_COOKIE=1 sets a random cookie "client" before the log-in, STAGGER 20 ms between the first log-ins,
//            REPLICA_NAMES r1,...,r16,
//            FAILED_MAX 0 requests may fail otherwise, LOST_MAX (no limit), MAX_SECONDS 600; see also lib/user.js.

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
import { Cookies } from './lib/cookies.js';
import { choice, count, number, text } from './lib/settings.js';
import { AUTH, BASE_URL, explain, fromBody, judge, logIn, me, userName } from './lib/user.js';
import { counter, neither, share, summary, summaryTrendStats } from './lib/summary.js';

choice('AUTH', AUTH, ['session', 'jwt']);
const USERS = count('USERS', 24);
const SEATS = Math.min(count('SEATS', 24), USERS);
const EACH = Math.ceil(count('REQUESTS', 10000) / USERS);
const FAILED_MAX = count('FAILED_MAX', 0, 0);
const STAGGER = number('STAGGER', 20);
const NAMES = text('REPLICA_NAMES', Array.from({ length: 16 }, (_, i) => `r${i + 1}`).join(',')).split(',');

const authenticated = counter('authenticated_requests'); // answered with yes or with 401
const lost = counter('lost_sessions');
const asked = counter('users_asked'); // all that they had to
const losers = counter('users_who_lost'); // of them, in one request or more
const alike = counter('lost_by_user_squared'); // summed over them: says whether losses fall on few users or on all
const wrongUser = counter('wrong_user');
const failed = counter('failed_requests'); // neither: 5xx, no connection
const unexpected = counter('unexpected_answers'); // neither, such as a redirect to a log-in page
const replicas = { other: new Counter('replica_other') }; // in the summary if they answered at all
for (const name of NAMES) replicas[name] = new Counter(`replica_${name.replace(/\W/g, '_')}`);

export const options = {
  scenarios: { users: { executor: 'per-vu-iterations', vus: SEATS, iterations: EACH * Math.ceil(USERS / SEATS), maxDuration: `${number('MAX_SECONDS', 600, 1)}s` } },
  thresholds: {
    authenticated_requests: [`count>=${USERS * EACH - FAILED_MAX}`],
    wrong_user: ['count<1'],
    failed_requests: [`count<=${FAILED_MAX}`],
    unexpected_answers: ['count<1'],
    lost_sessions: [`count<=${number('LOST_MAX', Number.MAX_SAFE_INTEGER)}`],
  },
  summaryTrendStats,
};

let user; // on this seat: modules live once for each VU. The cookies are the user's, the balancer's route among them
let told = false;

export default function () {
  const turn = exec.vu.iterationInScenario;
  const index = exec.vu.idInTest - 1 + Math.floor(turn / EACH) * SEATS;
  if (index >= USERS) return; // this seat has a user less
  if (turn % EACH === 0) user = arrive(index);
  ask();
  if (turn % EACH === EACH - 1) {
    asked.add(1);
    if (user.lost > 0) losers.add(1);
    alike.add(user.lost ** 2);
  }
}

function ask() {
  const answer = me(user);
  const meaning = judge(answer, user);
  if (meaning === 'accepted' || meaning === 'wrong_user') {
    authenticated.add(1);
    if (meaning === 'wrong_user') wrongUser.add(1);
    (replicas[fromBody(answer, 'replica')] || replicas.other).add(1);
  } else if (meaning === 'refused') {
    authenticated.add(1);
    lost.add(1);
    user.lost += 1;
  } else {
    (meaning === 'unexpected' ? unexpected : failed).add(1);
    if (!told) console.warn(`${user.name}: ${explain(answer)}`);
    told = true; // once for each seat is enough
  }
}

function arrive(index) {
  if (index < SEATS) sleep((index * STAGGER) / 1000);
  const jar = new Cookies();
  if (__ENV.CLIENT_COOKIE) jar.set(BASE_URL, 'client', Math.random().toString(36).slice(2));
  try {
    return Object.assign(logIn(userName(index), undefined, jar), { lost: 0 });
  } catch (error) {
    return exec.test.abort(error.message); // without its users the question is not asked
  }
}

export const handleSummary = summary((n) => [
  `${n.authenticated_requests} requests of ${USERS} valid users (AUTH=${AUTH}, closed loop): ${n.lost_sessions} answered 401, ${share(n.lost_sessions, n.authenticated_requests)} lost`,
  `${n.users_who_lost} of ${n.users_asked} users lost their session at least once`,
  `${n.failed_requests} failed otherwise, ${n.wrong_user} answered for another user`,
  ...neither(n.unexpected_answers),
  `by replica: ${Object.keys(n).filter((k) => k.startsWith('replica_') && n[k] > 0).map((k) => `${k.slice(8)} ${n[k]}`).join(', ') || 'none said its name'}`,
]);
