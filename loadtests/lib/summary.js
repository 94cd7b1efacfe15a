// The end of a script: a few lines for a person and, with -e SUMMARY=file.json, {counters, trends,
// failed_thresholds} for a program.
//
// What k6 adds up loses the single values. Where each one matters a script says sample({name: value}): one line
// on the console, "sample " and JSON.

import { Counter } from 'k6/metrics';

// Percentiles that the summary has of every trend.
export const summaryTrendStats = ['count', 'p(50)', 'p(95)', 'p(99)', 'max'];

const known = [];

// counter makes a counter that is in the summary even if nothing was ever counted.
export function counter(name) {
  known.push(name);
  return new Counter(name);
}

export function sample(values) {
  console.log(`sample ${JSON.stringify(values)}`);
}

// summary makes a handleSummary that prints the lines which describe(counters) returns.
export function summary(describe) {
  return (data) => {
    const counters = {};
    const trends = {};
    for (const name of known) counters[name] = 0;
    for (const [name, metric] of Object.entries(data.metrics)) {
      const values = metric.values;
      if (metric.type === 'counter') counters[name] = values.count;
      if (metric.type === 'trend') trends[name] = values;
      if (metric.type === 'rate') {
        counters[`${name}_passes`] = values.passes;
        counters[`${name}_fails`] = values.fails;
      }
    }
    const failed_thresholds = crossed(data.metrics);
    const lines = [...describe(counters), ...failed_thresholds.map((threshold) => `FAILED: ${threshold}`)];
    const out = { stdout: `\n${lines.map((line) => `  ${line}\n`).join('')}\n` };
    if (__ENV.SUMMARY) out[__ENV.SUMMARY] = `${JSON.stringify({ counters, trends, failed_thresholds }, null, 1)}\n`;
    return out;
  };
}

function crossed(metrics) {
  const list = [];
  for (const [name, metric] of Object.entries(metrics)) {
    for (const [threshold, { ok }] of Object.entries(metric.thresholds || {})) {
      const { count, rate } = metric.values; // a counter has both
      if (!ok) list.push(`${name}: ${threshold}, and is ${metric.type === 'counter' ? count : rate}`);
    }
  }
  return list;
}

export function share(part, whole) {
  return whole > 0 ? `${((100 * part) / whole).toFixed(2)} %` : 'nothing';
}

// neither is the line about answers that judge() of lib/user.js holds to be unexpected.
export function neither(count) {
  if (!(count > 0)) return [];
  return [`${count} answers neither accepted nor refused, such as a redirect or a page: the warnings say what came; where /me refuses, it has to answer 401`];
}
