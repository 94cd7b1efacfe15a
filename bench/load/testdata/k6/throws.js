import { handleSummary, one } from './lib.js';
export { handleSummary };
export const options = { vus: 2, iterations: 6 };
export default function () {
  if (__ENV.REQUEST) one();
  throw new Error('thrown on purpose');
}
