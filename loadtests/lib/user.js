// A user of the API under test: log in, ask who one is, log out. Works with sessions and with JWT; cookies are kept as
// a browser keeps them (lib/cookies.js), and their names never assumed.
//
//   AUTH             session: what the log-in sets as cookies; jwt: the access_token in its body, as a Bearer token
//                    (or its cookies, where the body has none)
//   USERNAME_PREFIX  user 7 is called <prefix>000007 (user-)
//   PASSWORD         of every user
//   ADMIN            the administrator's name (admin)

import http from 'k6/http';
import encoding from 'k6/encoding';
import { sleep } from 'k6';
import { Cookies, refusals } from './cookies.js';
import { choice, text, url } from './settings.js';

export const BASE_URL = url('BASE_URL');
export const AUTH = choice('AUTH', undefined, ['session', 'jwt', 'none']);
const PREFIX = text('USERNAME_PREFIX', 'user-');
const PASSWORD = text('PASSWORD', 'correct horse battery staple');
const ADMIN = text('ADMIN', 'admin');
const TRIES = 20;

export function userName(index) {
  return PREFIX + String(index).padStart(6, '0');
}

// logIn returns {name, headers, jar, given, expires}: a Bearer token's headers, the user's own cookies, the Cookie header of
// what the log-in gave, and when that ends, in ms since 1970 or -1 if unknown. It throws where there is no log-in to be
// had. A server that is busy with other log-ins (429, 503) is asked again: hashing a password is slow on purpose.
export function logIn(name, tries = TRIES, jar = new Cookies()) {
  const user = { name, headers: {}, jar, given: '', expires: -1 };
  const body = JSON.stringify({ username: name, password: PASSWORD });
  const answer = patiently(tries, () => ask('POST', BASE_URL, '/login', user, body));
  if (answer.status !== 200) throw new Error(`log-in of ${name} at ${BASE_URL}: ${explain(answer)}`);
  const life = Number(fromBody(answer, 'expires_in'));
  if (life > 0) user.expires = Date.now() + 1000 * life;
  user.given = jar.header(`${BASE_URL}/me`);
  const token = AUTH === 'jwt' ? fromBody(answer, 'access_token') : undefined;
  if (token) user.headers.Authorization = `Bearer ${token}`;
  if (!token && !user.given) {
    const why = refusals(answer, `${BASE_URL}/login`, `${BASE_URL}/me`);
    const secure = why.includes('Secure') ? ': start the server with -insecure-cookies' : '';
    if (why) throw new Error(`log-in of ${name}: a browser would send none of its cookies to ${BASE_URL}/me: ${why}${secure}`);
    if (AUTH === 'session') throw new Error(`log-in of ${name} at ${BASE_URL} set no cookie: is AUTH=session right?`);
  }
  if (AUTH === 'jwt') {
    const jwt = [token, ...jar.matching(`${BASE_URL}/me`).map((c) => c.value.replace(/^"(.*)"$/, '$1'))].find(expiry);
    if (!token && !jwt) throw new Error(`log-in of ${name} at ${BASE_URL} gave no JWT, neither as access_token nor as a cookie: is AUTH=jwt right?`);
    user.expires = expiry(jwt) || user.expires;
  }
  return user;
}

// patiently asks again while the server says that it is busy.
function patiently(tries, request) {
  let answer = request();
  for (let i = 1; i < tries && (answer.status === 429 || answer.status === 503); i++) {
    sleep(Math.min(Number(answer.headers['Retry-After']) || 0.5, 5) * (0.5 + Math.random()));
    answer = request();
  }
  return answer;
}

// ask sends one request with the user's cookies and learns those of the answer. Redirects are not followed: an answer
// that leads to a log-in page is a finding. k6's own jar stays empty.
function ask(method, base, path, user, body = null, cookies = user.jar.header(base + path)) {
  const headers = Object.assign({}, user.headers);
  if (body !== null) headers['Content-Type'] = 'application/json';
  if (cookies) headers.Cookie = cookies;
  const answer = http.request(method, base + path, body, { headers, redirects: 0, jar: new http.CookieJar(), tags: { name: `${method} ${path}` } });
  if (base === BASE_URL) user.jar.learn(base + path, answer);
  return answer;
}

// expiry is a JWT's "exp" in ms since 1970, 0 where it cannot be read.
function expiry(token) {
  try {
    return 1000 * JSON.parse(encoding.b64decode(token.split('.')[1], 'rawurl', 's')).exp || 0;
  } catch (_) {
    return 0;
  }
}

// visitor is a user who has not logged in, and never will.
export function visitor(name) {
  return { name, headers: {}, jar: new Cookies(), given: '', expires: -1 };
}

// request asks through the balancer for something that the user may do, with the cookies as they are now.
export function request(user, method, path, body = null) {
  return ask(method, BASE_URL, path, user, body);
}

// me asks who the user is.
export function me(user) {
  return request(user, 'GET', '/me');
}

// offer asks another address with what the log-in gave, and nothing else, as whoever has copied it would: neither what
// the user has learnt since, such as the log-out's empty cookie, nor an end that a browser would keep to.
export function offer(base, user, method = 'GET', path = '/me', body = null) {
  return ask(method, base, path, user, body, user.given);
}

// Changes that are to end a credential. Each asks a busy server again, as logIn does: one that was turned away has
// changed nothing, and twice is fine.

export function logOut(user, tries = TRIES) {
  return patiently(tries, () => request(user, 'POST', '/logout'));
}

export function changePassword(user) {
  const body = JSON.stringify({ current_password: PASSWORD, new_password: `new ${PASSWORD}` });
  return patiently(TRIES, () => request(user, 'POST', '/password', body));
}

let administrator; // logged in, once a VU: modules live once for each

// callAdministrator has one logged in, so that a change which is wanted soon need not wait for that.
export function callAdministrator() {
  administrator = administrator || logIn(ADMIN);
}

// administer asks for a change of a user's account, such as PUT disabled {disabled: true}, in an administrator's name. One
// whose own credential has ended logs in again.
export function administer(name, method, what, change) {
  const body = change === undefined ? null : JSON.stringify(change);
  const path = `/admin/users/${encodeURIComponent(name)}/${what}`;
  for (let tries = 3; ; tries--) {
    callAdministrator();
    const answer = patiently(TRIES, () => request(administrator, method, path, body));
    if (answer.status !== 401 || tries === 0) return answer;
    administrator = undefined;
  }
}

// judge says what an answer to /me means: 'accepted', and it names its user; 'wrong_user', and it names another; 'refused'
// by 401; 'unexpected', such as a redirect to a log-in page, or the page itself: it neither accepts nor refuses, and names
// nobody; 'failed' otherwise. Who brings no credential is accepted without a name.
export function judge(answer, user) {
  if (answer.status === 401) return 'refused';
  if (answer.status >= 300 && answer.status < 400) return 'unexpected';
  if (!succeeded(answer)) return 'failed';
  const sub = fromBody(answer, 'sub');
  if (AUTH === 'none' && !sub && isJSON(answer)) return 'accepted';
  if (typeof sub !== 'string') return 'unexpected';
  return sub === user.name && AUTH !== 'none' ? 'accepted' : 'wrong_user';
}

function isJSON(answer) {
  return fromBody(answer) !== undefined;
}

export function succeeded(answer) {
  return answer.status >= 200 && answer.status < 300;
}

// fromBody is one field of a JSON answer, or all of it; undefined where there is none.
export function fromBody(answer, field) {
  try {
    return field === undefined ? answer.json() : answer.json(field);
  } catch (_) {
    return undefined;
  }
}

// explain says in a few words what came instead of what was wanted.
export function explain(answer) {
  if (answer.error && answer.status === 0) return answer.error;
  if (answer.status >= 300 && answer.status < 400) return `it redirects to ${answer.headers.Location || 'nowhere'} (status ${answer.status}), which neither accepts nor refuses`;
  if (succeeded(answer) && !isJSON(answer)) return `status ${answer.status} and ${answer.headers['Content-Type'] || 'no JSON'} instead of JSON, such as a log-in page`;
  if (succeeded(answer)) return `status ${answer.status} and JSON that names no user as "sub"`;
  return `status ${answer.status} ${fromBody(answer, 'detail') || fromBody(answer, 'title') || ''}`.trim();
}
