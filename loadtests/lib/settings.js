// Settings of a script: k6 run -e NAME=value. Every mistake ends the run before it starts, with the setting's
// name, the value given and what is allowed.

export function text(name, fallback) {
  const value = __ENV[name];
  if (value !== undefined && value !== '') return value;
  if (fallback === undefined) throw new Error(`${name} is not set: give it with -e ${name}=...`);
  return fallback;
}

export function number(name, fallback, least = 0) {
  const value = Number(text(name, fallback));
  if (Number.isFinite(value) && value >= least) return value;
  throw new Error(`${name}=${__ENV[name]}: want a number of at least ${least}`);
}

export function count(name, fallback, least = 1) {
  const value = number(name, fallback, least);
  if (Number.isInteger(value)) return value;
  throw new Error(`${name}=${__ENV[name]}: want a whole number`);
}

export function choice(name, fallback, allowed) {
  const value = text(name, fallback);
  if (allowed.includes(value)) return value;
  throw new Error(`unknown ${name} "${value}": choose ${allowed.join(', ')}`);
}

export function url(name) {
  return address(name, text(name));
}

export function urls(name) {
  return text(name).split(',').map((value) => address(name, value.trim()));
}

function address(name, value) {
  if (!/^https?:\/\/[^/]+/.test(value)) throw new Error(`${name}=${value}: want an address such as http://127.0.0.1:8080`);
  return value.replace(/\/+$/, '');
}
