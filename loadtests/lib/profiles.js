// Load shapes by k6's own names, PROFILE=smoke|average|stress|spike|soak|breakpoint. All are open: journeys start
// at a rate, whatever the server's answers do, and one that finds no free VU is dropped and counted, never queued.
//
//   RATE      journeys started a second at average load (2)
//   DURATION  seconds at full load, where the shape has such a stretch (by shape, see below)

import { choice, number } from './settings.js';

const RATE = number('RATE', 2, 0.1);

function stages(rate, up, hold, down) {
  return [[rate, up], [rate, number('DURATION', hold, 1)], [0, down]];
}

// Each is a list of [rate to reach, seconds to get there].
const shapes = {
  smoke: () => stages(Math.min(RATE, 1), 0, 10, 0), // does it work at all?
  average: () => stages(RATE, 10, 60, 10), // an ordinary day
  stress: () => stages(3 * RATE, 20, 60, 20), // the busiest hour
  spike: () => [...stages(RATE, 5, 20, 1).slice(0, 2), [10 * RATE, 2], [10 * RATE, 10], [RATE, 2], [RATE, 20], [0, 5]], // a rush, and after it
  soak: () => stages(RATE, 30, 1800, 30), // does anything leak or fill up?
  breakpoint: () => [[50 * RATE, number('DURATION', 300, 1)]], // ever more until it gives way
};

export const PROFILE = choice('PROFILE', 'smoke', Object.keys(shapes));

// scenario of journeys that last about journeySeconds each.
export function scenario(journeySeconds) {
  const steps = shapes[PROFILE]();
  const perMinute = (rate) => Math.max(1, Math.round(60 * rate));
  const most = Math.max(...steps.map(([rate]) => rate));
  const vus = Math.ceil(most * (journeySeconds + 1)) + 1; // Little's law, and a second of the server's own
  return {
    executor: 'ramping-arrival-rate',
    timeUnit: '1m', // rates are whole numbers, and less than one a second must be possible
    startRate: steps[0][1] === 0 ? perMinute(steps[0][0]) : 0,
    stages: steps.filter(([, seconds]) => seconds > 0).map(([rate, seconds]) => ({ target: rate > 0 ? perMinute(rate) : 0, duration: `${seconds}s` })),
    preAllocatedVUs: Math.min(vus, 500),
    maxVUs: 2 * vus,
    gracefulStop: `${Math.ceil(2 * journeySeconds) + 10}s`,
  };
}

// thresholds set the exit code. At the breakpoint a failure is what is looked for: it ends the test early.
export function thresholds() {
  if (PROFILE === 'breakpoint') {
    return {
      journeys: ['count>0'],
      wrong_user: ['count<1'],
      unexpected_answers: ['count<1'],
      failed_requests_share: [{ threshold: 'rate<0.05', abortOnFail: true, delayAbortEval: '10s' }],
    };
  }
  const strict = PROFILE !== 'stress' && PROFILE !== 'spike'; // above the ordinary a few may fail
  return {
    journeys: ['count>0'],
    wrong_user: ['count<1'],
    unexpected_answers: ['count<1'],
    failed_requests_share: [strict ? 'rate==0' : 'rate<0.01'],
    dropped_iterations: strict ? ['count<1'] : [],
  };
}
