// A user of the API under test: log in, ask who one is, log out. Works with sessions and with JWT; names of
// cookies are learnt from the log-in's answer, never assumed.
//
//   AUTH             session: what the log-in sets as cookies; jwt: the access_token in its body, as a Bearer token
//                    (or its cookies, where the body has none)
//   USERNAME_PREFIX  user 7 is called <prefix>000007 (user-)
//   PASSWORD         of every user

import http from 'k6/http';
import encoding from 'k6/encoding';
import { sleep } from 'k6';
import { choice, text, url } from './settings.js';

export const BASE_URL = url('BASE_URL');
export const AUTH = choice('AUTH', undefined, ['session', 'jwt', 'none']);
const PREFIX = text('USERNAME_PREFIX', 'user-');
const PASSWORD = text('PASSWORD', 'correct horse battery staple');
const TRIES = 20;

export function userName(index) {
  return PREFIX + String(index).padStart(6, '0');
}

// logIn returns {name, headers, cookies, expires}, the last in ms since 1970 or -1 if unknown; it throws where there is no log-in to be had. A server that
// is busy with other log-ins (429, 503) is asked again: hashing a password is slow on purpose.
export function logIn(name, tries = TRIES) {
  const body = JSON.stringify({ username: name, password: PASSWORD });
  const params = { headers: { 'Content-Type': 'application/json' }, tags: { name: 'POST /login' } };
  let answer = http.post(`${BASE_URL}/login`, body, params);
  for (let i = 1; i < tries && (answer.status === 429 || answer.status === 503); i++) {
    sleep(Math.min(Number(answer.headers['Retry-After']) || 0.5, 5) * (0.5 + Math.random()));
    answer = http.post(`${BASE_URL}/login`, body, params);
  }
  if (answer.status !== 200) throw new Error(`log-in of ${name} at ${BASE_URL}: ${explain(answer)}`);
  const user = { name, headers: {}, cookies: {}, expires: -1 };
  const life = Number(fromBody(answer, 'expires_in'));
  if (life > 0) user.expires = Date.now() + 1000 * life;
  for (const cookie of Object.keys(answer.cookies)) user.cookies[cookie] = answer.cookies[cookie][0].value;
  if (AUTH === 'jwt') {
    const token = fromBody(answer, 'access_token');
    if (token) user.headers.Authorization = `Bearer ${token}`;
    const jwt = [token, ...Object.values(user.cookies)].find(expiry);
    if (!token && !jwt) throw new Error(`log-in of ${name} at ${BASE_URL} gave no JWT, neither as access_token nor as a cookie: is AUTH=jwt right?`);
    user.expires = expiry(jwt) || user.expires;
  } else if (Object.keys(user.cookies).length === 0) {
    throw new Error(`log-in of ${name} at ${BASE_URL} set no cookie: is AUTH=session right?`);
  }
  if (!user.headers.Authorization && BASE_URL.startsWith('http:') && Object.values(answer.cookies).every((c) => c[0].secure)) {
    throw new Error(`every cookie of the log-in is Secure and ${BASE_URL} is not https: start the server with -insecure-cookies`);
  }
  return user;
}

// expiry is a JWT's "exp" in ms since 1970, 0 where it cannot be read.
function expiry(token) {
  try {
    return 1000 * JSON.parse(encoding.b64decode(token.split('.')[1], 'rawurl', 's')).exp || 0;
  } catch (_) {
    return 0;
  }
}

// me asks who the user is, with the cookies that this VU's jar holds.
export function me(user) {
  return http.get(`${BASE_URL}/me`, { headers: user.headers, tags: { name: 'GET /me' } });
}

// meAt asks another address with what the log-in gave, and nothing else. The jar of its own matters: jars
// ignore ports, so on one host the VU's jar would send this request whatever it has learnt since, such as the
// log-out's empty cookie.
export function meAt(base, user) {
  return http.get(`${base}/me`, { headers: user.headers, cookies: user.cookies, jar: new http.CookieJar(), tags: { name: 'GET /me' } });
}

export function logOut(user) {
  return http.post(`${BASE_URL}/logout`, null, { headers: user.headers, tags: { name: 'POST /logout' } });
}

export function succeeded(answer) {
  return answer.status >= 200 && answer.status < 300;
}

// fromBody is one field of a JSON answer; undefined where there is none.
export function fromBody(answer, field) {
  try {
    return answer.json(field);
  } catch (_) {
    return undefined;
  }
}

export function explain(answer) {
  return answer.error ? answer.error : `status ${answer.status} ${fromBody(answer, 'detail') || fromBody(answer, 'title') || ''}`;
}
