// What k6 does beside the other generators: GET one URL at a rate (RATE) or as
// fast as it can (RATE=0), with as many users as the others have connections.
// ONCE=1 sends one request a user, which is what k6 costs to start.
import http from 'k6/http';

const rate = Number(__ENV.RATE), vus = Number(__ENV.VUS), duration = __ENV.DURATION;
const scenario = rate > 0
  ? { executor: 'constant-arrival-rate', rate, duration, preAllocatedVUs: vus, maxVUs: vus, gracefulStop: '1s' }
  : __ENV.ONCE ? { executor: 'shared-iterations', vus, iterations: vus }
  : { executor: 'constant-vus', vus, duration, gracefulStop: '1s' };

export const options = { discardResponseBodies: true, scenarios: { scenario } };

export default function () { http.get(__ENV.URL); }

export function handleSummary(data) {
  const count = (name) => data.metrics[name] ? data.metrics[name].values.count : 0;
  const failed = data.metrics.http_req_failed ? data.metrics.http_req_failed.values.passes : 0;
  return { stdout: JSON.stringify({ requests: count('http_reqs'), dropped: count('dropped_iterations'), failed, milliseconds: data.state.testRunDurationMs }) };
}
