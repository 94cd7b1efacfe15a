import { one } from './lib.js';
export const options = { iterations: 1 };
export default function () {
  one();
}
