// What the machine offers.
import { call } from './calls.js';
import { lib, struct } from './library.js';

const same = (value) => value;

// What is no yes or no.
const KINDS = {
  kernel: (number) => [number >> 16, number & 0xffff],
  landlock: same,
  controllers_v2: same,
  controllers_v1: same,
  controllers_v1_writable: same,
  runs_miss: same,
  blocker: same,
};

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

export async function probe() {
  const raw = struct('runner_probe_t');
  await call(lib.probe, raw);
  const { size, ...fields } = raw;
  const converted = Object.entries(fields).map(([name, value]) => [camel(name), (KINDS[name] ?? Boolean)(value)]);
  return Object.fromEntries(converted);
}
