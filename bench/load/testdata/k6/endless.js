import { sleep } from 'k6';
import { handleSummary, one } from './lib.js';
export { handleSummary };
export const options = { duration: '1h', vus: 1 };
export default function () {
  one();
  console.log('sample {"seen": 1}');
  sleep(0.05);
}
