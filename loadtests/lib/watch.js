// Watching credentials that should have ended. Each VU is a seat on which users sit one after the other. One logs in
// through the balancer and sees at least one replica accept the credential; something is done that should end it; then
// the same credential is offered to every replica directly, each POLL ms, until all have refused it for QUIET seconds or
// WATCH seconds are over. A user whose credential is accepted in a request that began after the change's answer was let in.
// Lag = start of the last request that was accepted - arrival of the change's answer; 0 where there was none. Its
// resolution is the poll interval. A credential that ends by itself within 2 polls of the change is left out.
//
//   USERS     10
//   SEATS     as many; fewer keep the polls of many users within what one CPU can send
//   POLL      10 ms
//   WATCH     10 s
//   QUIET     1 s
//   STAGGER   20 ms between the first log-ins
//   REPLICAS  addresses past the balancer
//
// Samples, one line a user (see summary.js): revocation_lag_seconds; remaining_life_seconds at the change, -1 if unknown;
// declared_bound_seconds that the change's answer declared, -1 if it did not.

import { sleep } from 'k6';
import exec from 'k6/execution';
import { choice, count, number, urls } from './settings.js';
import { AUTH, explain, judge, logIn, offer, succeeded, userName } from './user.js';
import { counter, neither, sample, summary, summaryTrendStats } from './summary.js';

choice('AUTH', AUTH, ['session', 'jwt']);
const USERS = count('USERS', 10);
const SEATS = Math.min(count('SEATS', USERS), USERS);
const POLL = number('POLL', 10, 1);
const WATCH = number('WATCH', 10, 1);
const LATE = 2 * POLL; // ms: a credential that has no longer to live may end before all replicas are asked
const QUIET = number('QUIET', 1, 0.1);
const STAGGER = number('STAGGER', 20);
const REPLICAS = urls('REPLICAS');

const letIn = counter('users_let_in'); // accepted once or more after the change
const refused = counter('refused_requests'); // after the change
const failed = counter('failed_requests'); // neither: 5xx, no connection
const unexpected = counter('unexpected_answers'); // neither, such as a redirect to a log-in page
const wrongUser = counter('wrong_user');
const tooLate = counter('users_too_late'); // whose credential was about to end by itself when the change was answered: it tells nothing
const stillAlive = counter('still_alive_users'); // accepted in WATCH's last QUIET seconds: the lag is a lower bound

// watching makes a script's options, its handleSummary, and the two halves of what a user does: sit, and follow once the
// change is answered.
//   change    what is done, for a person to read: the log-out
//   changed   name of the counter of users whose change was answered
//   accepted  name of the counter of requests that were accepted after it
//   offered   (base, user) => answer: offers the credential to a replica (GET /me)
//   means     (answer, user) => what judge() of user.js says: accepted, refused, ...
export function watching({ change, changed, accepted, offered = offer, means = judge, thresholds = {} }) {
  const counters = { changed: counter(changed), accepted: counter(accepted) };
  const rounds = Math.ceil(USERS / SEATS);
  return {
    options: {
      scenarios: { users: { executor: 'per-vu-iterations', vus: SEATS, iterations: rounds, maxDuration: `${(WATCH + 5) * rounds + 120}s` } },
      thresholds: Object.assign({
        [changed]: [`count>=${0.9 * USERS}`], // all but those who were too late: whoever was turned away has failed
        users_too_late: [`count<=${0.1 * USERS}`],
        wrong_user: ['count<1'],
        failed_requests: ['count<1'],
        unexpected_answers: ['count<1'],
      }, thresholds),
      summaryTrendStats,
    },

    // sit logs in who is next on this seat and returns the user; undefined where there is none, or nothing to watch.
    // Before the log-in, prepare may do something to the user's account.
    sit(prepare = () => {}) {
      const index = exec.vu.idInTest - 1 + exec.vu.iterationInScenario * SEATS;
      if (index >= USERS) return undefined; // this seat has a user less
      if (index < SEATS) sleep((index * STAGGER) / 1000);
      prepare(userName(index));
      const user = logIn(userName(index));
      const before = REPLICAS.map((base) => offered(base, user));
      if (before.some((answer) => means(answer, user) === 'accepted')) return user;
      if (before.some((answer) => answer.status === 0 || answer.status >= 500)) return turnedAway(user, 'the first request', before[0]);
      throw new Error(`${user.name} has logged in, and no replica accepts the credential: what is there to end? (${explain(before[0])})`);
    },

    // follow watches the user's credential from the change's answer on, which has just come, and says whether it was done.
    follow(user, answer) {
      const since = Date.now();
      if (!succeeded(answer)) {
        turnedAway(user, change, answer);
        return false;
      }
      if (user.expires > 0 && user.expires - since < LATE) {
        tooLate.add(1);
        return true;
      }
      counters.changed.add(1);
      const last = watch(user, since);
      if (last > 0) letIn.add(1);
      if (Date.now() - last < 1000 * QUIET) stillAlive.add(1);
      const bound = answer.headers['X-Revocation-Bound'];
      sample({
        revocation_lag_seconds: last > 0 ? (last - since) / 1000 : 0,
        remaining_life_seconds: user.expires > 0 ? (user.expires - since) / 1000 : -1,
        declared_bound_seconds: bound === undefined ? -1 : Number(bound),
      });
      return true;
    },

    handleSummary: summary((n) => [
      `${n[changed]} of ${USERS} users saw ${change} (AUTH=${AUTH}); then ${REPLICAS.length} replicas, every ${POLL} ms:`,
      `${n.users_let_in} users let in again: ${n[accepted]} requests still accepted, ${n.refused_requests} refused, ${n.failed_requests} failed, ${n.wrong_user} answered for another user`,
      ...(n.users_too_late > 0 ? [`${n.users_too_late} users left out, whose credential was about to end by itself`] : []),
      ...neither(n.unexpected_answers),
      `${n.still_alive_users} credentials still worked when their watch ended${n.still_alive_users > 0 ? ': give a longer WATCH' : ''}`,
    ]),
  };

  // watch returns when the last request that was accepted had started, 0 if none was.
  function watch(user, since) {
    let last = 0;
    let alive = since; // when it was last not refused everywhere
    let told = false;
    while (Date.now() - since < 1000 * WATCH && Date.now() - alive < 1000 * QUIET) {
      const round = Date.now();
      for (const base of REPLICAS) {
        const started = Date.now();
        const answer = offered(base, user);
        const meaning = means(answer, user);
        if (meaning === 'refused') {
          refused.add(1);
          continue;
        }
        alive = started;
        if (meaning === 'accepted' || meaning === 'wrong_user') {
          counters.accepted.add(1);
          last = started;
          if (meaning === 'wrong_user') wrongUser.add(1);
          continue;
        }
        (meaning === 'unexpected' ? unexpected : failed).add(1);
        if (!told) console.warn(`${user.name} after ${change}: ${explain(answer)}`);
        told = true; // once for each user is enough
      }
      sleep(Math.max(0, POLL - (Date.now() - round)) / 1000);
    }
    return last;
  }
}

// turnedAway counts a user with whom there is nothing to watch: the thresholds say so at the end.
export function turnedAway(user, from, answer) {
  (answer.status >= 300 && answer.status < 400 ? unexpected : failed).add(1);
  console.warn(`${user.name}: ${from}: ${explain(answer)}`);
}
