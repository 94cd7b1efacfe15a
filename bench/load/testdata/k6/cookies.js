// Prints the Cookie header that a browser would send, for each case of CASES.
import { Cookies, refusals } from '../../../../loadtests/lib/cookies.js';

export default function () {
  for (const c of JSON.parse(__ENV.CASES)) {
    const jar = new Cookies();
    let why = '';
    for (const set of c.Set) {
      const answer = { headers: { 'Set-Cookie': set.join(', ') } }; // as k6 gives it
      jar.learn(c.From, answer);
      why = refusals(answer, c.From, c.To);
    }
    console.log(JSON.stringify({ header: jar.header(c.To), why }));
  }
}
