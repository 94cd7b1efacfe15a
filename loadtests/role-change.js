// Question:  a user's role is changed. How long does a credential from before go by the old one?
// Method:    users log in through the balancer, as administrators where roles are to be lowered; an administrator changes
//            the role through the balancer (CHANGE). Then the old credential asks every replica directly for something
//            that is for administrators alone and changes nothing: to enable the user who asks. 2xx goes by the role of
//            an administrator, 403 by a user's; 401 by none, and the next log-in has the new role, which is tried at the
//            end. See lib/watch.js, which also says what a lag is.
// Expected:  a session that the servers keep in a store they share: 0, for it is ended. In a replica's memory: the rest
//            of its life, unless the change came to that replica. In the client's cookie, and a JWT: the rest of its life.
// Refuted:   by any other lag.
// By hand:   k6 run -e BASE_URL=http://127.0.0.1:8080 -e REPLICAS=http://127.0.0.1:8081,http://127.0.0.1:8082 \
//              -e AUTH=jwt -e CHANGE=raised loadtests/role-change.js
//            with one replica, or with accounts that all replicas share (-accounts postgres): others do not know the role.
// Settings:  CHANGE lowered; see also lib/watch.js and lib/user.js.

import { administer, callAdministrator, explain, judge, logIn, offer, request, succeeded } from './lib/user.js';
import { choice } from './lib/settings.js';
import { counter } from './lib/summary.js';
import { turnedAway, watching } from './lib/watch.js';

const CHANGE = choice('CHANGE', 'lowered', ['lowered', 'raised']);
const [WAS, IS] = CHANGE === 'lowered' ? ['admin', 'user'] : ['user', 'admin'];

const inForce = counter('new_role_at_log_in'); // users whose next log-in has it

const { options, sit, follow, handleSummary } = watching({
  change: `the change of role (${CHANGE})`,
  changed: 'users_changed', // whose credential had had the old role
  accepted: CHANGE === 'lowered' ? 'unauthorized_successes' : 'stale_refusals', // by the old role, after the change
  offered: (base, user) => offer(base, user, 'PUT', forAdministrators(user), ENABLE),
  means: (answer, user) => {
    const role = roleIn(answer);
    if (role) return role === WAS ? 'accepted' : 'refused';
    return judge(answer, user);
  },
});

export { options, handleSummary };

const ENABLE = JSON.stringify({ disabled: false });

function forAdministrators(user) {
  return `/admin/users/${encodeURIComponent(user.name)}/disabled`;
}

// roleIn is the role that an answer to it goes by; undefined where it tells none.
function roleIn(answer) {
  if (succeeded(answer)) return 'admin';
  return answer.status === 403 ? 'user' : undefined;
}

export default function () {
  const user = sit((name) => {
    if (WAS === 'user') return callAdministrator();
    const answer = administer(name, 'PUT', 'role', { role: WAS });
    if (!succeeded(answer)) throw new Error(`${name} is to begin as ${WAS}: ${explain(answer)}`);
  });
  if (!user || !follow(user, administer(user.name, 'PUT', 'role', { role: IS }))) return;
  const again = logIn(user.name);
  const answer = request(again, 'PUT', forAdministrators(again), ENABLE);
  if (roleIn(answer) === IS) inForce.add(1);
  else turnedAway(again, 'the log-in after the change', answer);
}
