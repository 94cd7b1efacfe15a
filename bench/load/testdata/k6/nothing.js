export { handleSummary } from './lib.js';
export const options = { iterations: 3 };
export default function () {}
