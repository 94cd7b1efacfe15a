// Question:  a thief has copied a user's credential. How long does the copy work after something that should end it?
// Method:    users log in through the balancer; what they were given is copied, and CHANGE is made through the balancer:
//            log-out             the user logs out
//            password            the user changes the password, from the very log-in that was copied
//            password-anew       the user changes it from a second log-in
//            admin-log-out       an administrator ends the user's credentials
//            disabled            an administrator disables the user
//            Then the copy is offered to every replica directly: see lib/watch.js, which also says what a lag is.
// Expected:  a session that the servers keep in a store they share: 0, but where the password is changed from the
//            session that was copied, for it is kept. In a replica's memory: the rest of its life, unless the change came
//            to that replica. In the client's cookie, and a bare JWT: the rest of its life.
// Refuted:   by any other lag.
// By hand:   k6 run -e BASE_URL=http://127.0.0.1:8080 -e REPLICAS=http://127.0.0.1:8081,http://127.0.0.1:8082 \
//              -e AUTH=session -e CHANGE=password loadtests/theft.js
//            once for each start of the servers: passwords stay changed, and users disabled.
// Settings:  CHANGE log-out; see also lib/watch.js and lib/user.js.

import { administer, callAdministrator, changePassword, logIn, logOut } from './lib/user.js';
import { choice } from './lib/settings.js';
import { watching } from './lib/watch.js';

const changes = {
  'log-out': logOut,
  password: changePassword,
  'password-anew': (user) => changePassword(logIn(user.name)),
  'admin-log-out': (user) => administer(user.name, 'POST', 'logout'),
  disabled: (user) => administer(user.name, 'PUT', 'disabled', { disabled: true }),
};
const BY_ADMINISTRATOR = ['admin-log-out', 'disabled'];
const CHANGE = choice('CHANGE', 'log-out', Object.keys(changes));

const { options, sit, follow, handleSummary } = watching({
  change: `the change (${CHANGE})`,
  changed: 'users_changed', // whose credential had worked before
  accepted: 'unauthorized_successes', // 2xx for the thief after the change
});

export { options, handleSummary };

export default function () {
  const user = sit(BY_ADMINISTRATOR.includes(CHANGE) ? callAdministrator : undefined);
  if (user) follow(user, changes[CHANGE](user));
}
