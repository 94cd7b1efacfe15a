// A cookie store as a browser keeps one (RFC 6265, sections 5.1 to 5.4, and the name prefixes of its successor). k6's
// own drops a value's quotes, drops values that Go holds to be malformed, and gives no way to ask why a cookie stays at home.
//
//   const jar = new Cookies();
//   jar.learn(url, answer);  // what an answer from this URL sets and deletes
//   jar.header(url);         // the Cookie header of a request to this URL, '' if there is nothing to send

export class Cookies {
  constructor() {
    this.kept = []; // in order of creation
  }

  set(url, name, value) {
    this.store(parse(`${name}=${value}; Path=/`, place(url)));
  }

  learn(url, answer) {
    for (const line of lines(answer.headers['Set-Cookie'])) this.store(parse(line, place(url)));
  }

  store(cookie) {
    if (!cookie || cookie.never) return;
    const at = this.kept.findIndex((c) => c.name === cookie.name && c.domain === cookie.domain && c.path === cookie.path);
    if (cookie.expires <= Date.now()) {
      if (at >= 0) this.kept.splice(at, 1);
    } else if (at >= 0) {
      this.kept[at] = cookie;
    } else {
      this.kept.push(cookie);
    }
  }

  // matching lists the cookies for a URL, those of longer paths first.
  matching(url) {
    const to = place(url);
    return this.kept.filter((c) => !whyNot(c, to)).sort((a, b) => b.path.length - a.path.length);
  }

  header(url) {
    return this.matching(url).map((c) => `${c.name}=${c.value}`).join('; ');
  }
}

// refusals says of every cookie that an answer from one URL sets why a browser would not send it to another: '' where
// nothing was set, or all would be sent.
export function refusals(answer, from, url) {
  const said = [];
  for (const line of lines(answer.headers['Set-Cookie'])) {
    const cookie = parse(line, place(from));
    const why = cookie && (cookie.never || whyNot(cookie, place(url)));
    if (why) said.push(`${cookie.name}: ${why}`);
  }
  return said.join('; ');
}

function whyNot(cookie, to) {
  if (cookie.expires <= Date.now()) return 'it has expired, or is deleted';
  if (cookie.secure && to.scheme !== 'https') return `it is Secure, and ${to.host} is asked without https`;
  if (cookie.hostOnly ? to.host !== cookie.domain : !within(to.host, cookie.domain)) return `it is for ${cookie.domain} alone`;
  if (!(to.path === cookie.path || to.path.startsWith(cookie.path.endsWith('/') ? cookie.path : `${cookie.path}/`))) return `it is for the path ${cookie.path} alone`;
  return '';
}

function place(url) {
  const [, scheme, host, path] = /^(https?):\/\/(?:[^/?#]*@)?(\[[^\]]*\]|[^:/?#]*)(?::\d+)?([^?#]*)/i.exec(url);
  return { scheme: scheme.toLowerCase(), host: host.toLowerCase(), path: path || '/' };
}

// within says whether a host is a domain or below it; an address is below nothing.
function within(host, domain) {
  return host === domain || (host.endsWith(`.${domain}`) && !/^[\d.]+$|^\[/.test(host));
}

// lines takes apart what k6 has joined: a comma begins another cookie where a name and "=" follow it.
function lines(header) {
  return header ? header.split(/,\s*(?=[^\s;,=]+=)/) : [];
}

// parse reads a Set-Cookie line; undefined is none. One with a reason in "never" is refused whole.
function parse(line, from) {
  const [pair, ...attributes] = line.split(';');
  const equals = pair.indexOf('=');
  const name = pair.slice(0, equals).trim();
  if (equals < 0 || !name) return undefined;
  const slash = from.path.lastIndexOf('/');
  const cookie = { name, value: pair.slice(equals + 1).trim(), domain: from.host, hostOnly: true, secure: false, expires: Infinity };
  cookie.path = slash > 0 ? from.path.slice(0, slash) : '/';
  let age;
  for (const attribute of attributes) {
    const [key, ...rest] = attribute.split('=');
    const value = rest.join('=').trim();
    switch (key.trim().toLowerCase()) {
      case 'expires':
        cookie.expires = moment(value);
        break;
      case 'max-age':
        if (/^-?\d+$/.test(value)) age = Number(value);
        break;
      case 'domain':
        if (value) Object.assign(cookie, { domain: value.replace(/^\./, '').toLowerCase(), hostOnly: false });
        break;
      case 'path':
        if (value.startsWith('/')) cookie.path = value;
        break;
      case 'secure':
        cookie.secure = true;
        break;
      default: // HttpOnly and SameSite are for pages and their scripts
    }
  }
  if (age !== undefined) cookie.expires = age > 0 ? Date.now() + 1000 * age : 0; // it outranks Expires
  if (!cookie.hostOnly && !within(from.host, cookie.domain)) cookie.never = `it is for ${cookie.domain}, which ${from.host} may not set`;
  if (/^__(Host|Secure)-/i.test(name) && !cookie.secure) cookie.never = 'its name wants Secure';
  if (/^__Host-/i.test(name) && (!cookie.hostOnly || cookie.path !== '/')) cookie.never = 'its name wants Path=/ and no Domain';
  return cookie;
}

const MONTHS = 'janfebmaraprmayjunjulaugsepoctnovdec';

// moment reads a date in any of the forms that servers write (RFC 6265, 5.1.1), in ms since 1970; what is none never comes.
function moment(text) {
  let time, day, month, year;
  for (const token of text.split(/[^\w:]+/)) {
    const clock = /^(\d{1,2}):(\d{1,2}):(\d{1,2})$/.exec(token);
    const name = /^[a-z]{3}/i.test(token) ? MONTHS.indexOf(token.slice(0, 3).toLowerCase()) : -1;
    if (!time && clock) time = clock.slice(1).map(Number);
    else if (day === undefined && /^\d{1,2}$/.test(token)) day = Number(token);
    else if (month === undefined && name >= 0 && name % 3 === 0) month = name / 3;
    else if (year === undefined && /^\d{2,4}$/.test(token)) year = Number(token);
  }
  if (!time || day === undefined || month === undefined || year === undefined) return Infinity;
  if (year < 70) year += 2000;
  else if (year < 100) year += 1900;
  return Date.UTC(year, month, day, ...time);
}
