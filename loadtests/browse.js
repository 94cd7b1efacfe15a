// Question:  does the service carry people who log in, look around and log out again?
// Method:    a journey is one person with a fresh cookie jar: log in, PAGES times /me with time to think between
//            them, log out. Journeys start at a rate (open), shaped by PROFILE. AUTH=none is the control: the same
//            pages, without log-in, log-out and credential.
// Expected:  every answer is 2xx and for the right user; no journey is dropped at smoke, average and soak.
// Refuted:   any failed request, any wrong user, any dropped journey: the exit code says so.
//            Latencies here are k6's own view, from when a request was sent; for verdicts use the Go driver.
// By hand:   k6 run -e BASE_URL=http://127.0.0.1:8080 -e AUTH=jwt -e PROFILE=average loadtests/browse.js
// Settings:  USERS 100 (journeys take turns), PAGES 10, THINK 1 s (mean of an exponential, at most 5 times that);
//            see also lib/user.js and, for PROFILE, RATE and DURATION, lib/profiles.js.

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Rate } from 'k6/metrics';
import { count, number } from './lib/settings.js';
import { AUTH, explain, judge, logIn, logOut, me, succeeded, userName, visitor } from './lib/user.js';
import { counter, neither, share, summary, summaryTrendStats } from './lib/summary.js';
import { PROFILE, scenario, thresholds } from './lib/profiles.js';

const USERS = count('USERS', 100);
const PAGES = count('PAGES', 10);
const THINK = number('THINK', 1);

const journeys = counter('journeys'); // that came to their end
const authenticated = counter('authenticated_requests'); // to /me, whatever the answer
const lost = counter('lost_sessions'); // a valid user answered 401
const wrongUser = counter('wrong_user');
const failed = counter('failed_requests'); // log-ins and log-outs too
const unexpected = counter('unexpected_answers'); // of these: neither yes nor no, such as a redirect to a log-in page
const failures = new Rate('failed_requests_share');

export const options = { scenarios: { journeys: scenario(PAGES * THINK) }, thresholds: thresholds(), summaryTrendStats };

export default function () {
  const user = arrive(userName(exec.scenario.iterationInTest % USERS));
  if (!user) return;
  for (let i = 0; i < PAGES; i++) {
    const answer = me(user);
    const meaning = judge(answer, user);
    authenticated.add(1);
    if (meaning === 'refused') lost.add(1);
    if (meaning === 'wrong_user') wrongUser.add(1);
    if (meaning === 'unexpected') unexpected.add(1);
    tally(meaning === 'accepted' || meaning === 'wrong_user', answer);
    if (i < PAGES - 1) sleep(Math.min(-Math.log(1 - Math.random()), 5) * THINK);
  }
  if (AUTH !== 'none') {
    const answer = logOut(user, 1); // as for the log-in
    tally(succeeded(answer), answer);
  }
  journeys.add(1);
}

// arrive returns the user, logged in, or nothing if the log-in failed.
function arrive(name) {
  if (AUTH === 'none') return visitor(name);
  try {
    const user = logIn(name, 1); // a server too busy to let people in has failed them
    failures.add(false);
    return user;
  } catch (error) {
    failed.add(1);
    failures.add(true);
    console.warn(error.message);
    return null;
  }
}

let told = false;

function tally(good, answer) {
  failures.add(!good);
  if (good) return;
  failed.add(1);
  if (!told) console.warn(explain(answer));
  told = true; // once for each VU is enough
}

export const handleSummary = summary((n) => [
  `${n.journeys} journeys (AUTH=${AUTH}, PROFILE=${PROFILE}), ${n.dropped_iterations || 0} dropped`,
  `${n.authenticated_requests} pages: ${n.lost_sessions} answered 401, ${n.wrong_user} for another user`,
  ...neither(n.unexpected_answers),
  `${n.failed_requests} requests failed, log-ins and log-outs included (${share(n.failed_requests, n.failed_requests_share_passes + n.failed_requests_share_fails)})`,
]);
