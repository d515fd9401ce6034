// JavaScript's values as C's. What is no such value is a TypeError, what is out of range a RangeError.
import { lib, parameters } from './library.js';

const kindOf = (value) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);
const wanted = (what, value) => new TypeError(`${what} is wanted, not ${kindOf(value)}`);

const RANGES = {
  int: [-(2n ** 31n), 2n ** 31n - 1n],
  uint16_t: [0n, 2n ** 16n - 1n],
  uint32_t: [0n, 2n ** 32n - 1n],
  uint64_t: [0n, 2n ** 64n - 1n],
  size_t: [0n, 2n ** 64n - 1n],
};
export const UNLIMITED = RANGES.uint64_t[1];

/** A whole number that fits the C type. */
export function integer(value, type = 'uint64_t') {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw wanted('a number', value);
  if (typeof value === 'number' && !Number.isInteger(value)) throw new RangeError(`${value} is no whole number`);
  const [least, most] = RANGES[type];
  if (value < least || value > most) throw new RangeError(`${value} is not from ${least} to ${most}`);
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new RangeError(`${value} has to be a BigInt`);
  return value;
}

/** The same, or Infinity. */
export const limit = (value) => (value === Infinity ? UNLIMITED : integer(value));

/** Milliseconds, or Infinity, as nanoseconds. */
export function nanoseconds(value) {
  if (value === Infinity) return UNLIMITED;
  if (typeof value === 'bigint') return integer(value * 1_000_000n);
  if (typeof value !== 'number') throw wanted('a number', value);
  if (Number.isNaN(value) || value < 0) throw new RangeError(`${value} is no time`);
  return integer(BigInt(Math.round(value * 1e6)));
}

export function boolean(value) {
  if (typeof value !== 'boolean') throw wanted('true or false', value);
  return value;
}

const isBytes = (value) => ArrayBuffer.isView(value);
const copy = (view) => Buffer.from(Buffer.from(view.buffer, view.byteOffset, view.byteLength));

/** The bytes of a string or a typed array. */
export function bytes(value) {
  if (typeof value === 'string') return Buffer.from(value);
  if (!isBytes(value)) throw wanted('a string or bytes', value);
  return copy(value);
}

/** Memory that is never NULL, and how much of it counts. */
export function memory(value) {
  const data = bytes(value);
  return [data.length ? data : Buffer.alloc(1), data.length];
}

/** The same, as C ends its strings. */
export function text(value) {
  const data = bytes(value);
  if (data.includes(0)) throw new RangeError('a NUL');
  return Buffer.concat([data, Buffer.alloc(1)]);
}

export function array(value) {
  if (!Array.isArray(value)) throw wanted('an array', value);
  // A hole becomes undefined, which is looked at.
  return [...value];
}

export function object(value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isBytes(value)) {
    throw wanted('an object', value);
  }
  return value;
}

/** The entries of an object that may have no other keys. */
export function known(value, keys) {
  const entries = Object.entries(object(value)).filter(([, entry]) => entry !== undefined);
  for (const [key] of entries) if (!keys.includes(key)) throw new TypeError(`there is no ${key}`);
  return Object.fromEntries(entries);
}

/** The number of an open file, a FileHandle's too. */
export function hostFd(value) {
  const fd = typeof value === 'object' && value !== null ? value.fd : value;
  if (typeof fd !== 'number') throw wanted('a file descriptor or a FileHandle', value);
  const negative = value === fd ? `${fd} is no file descriptor` : 'a closed FileHandle';
  if (integer(fd, 'int') < 0) throw new RangeError(negative);
  return fd;
}

/** Says of which option an error is. */
export function naming(name, action) {
  try {
    return action();
  } catch (error) {
    if (error instanceof TypeError) throw new TypeError(`${name}: ${error.message}`);
    if (error instanceof RangeError) throw new RangeError(`${name}: ${error.message}`);
    throw error;
  }
}

const CONVERSIONS = {
  bool: boolean,
  'const char *': text,
  ...Object.fromEntries(Object.keys(RANGES).map((type) => [type, (value) => integer(value, type)])),
};

/** What a setter has returned. */
export function checked(code) {
  if (code < 0) throw new RangeError('empty, too long, out of range, or not known');
}

/** Calls a setter with values as its parameters want them; memory goes through as it is. */
export function set(runner, name, ...values) {
  const [, ...types] = parameters[name];
  checked(lib[name](runner, ...values.map((value, i) => (CONVERSIONS[types[i]]?.(value) ?? value))));
}
