// The program's files: what the options say, and what becomes of it for one start.
import { closeSync, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { checked, hostFd, integer, known, limit, naming, object } from './convert.js';
import { Stage } from './constants.js';
import { RunnerError } from './error.js';
import { errno, lib, libc } from './library.js';
import { Pumps } from './streams.js';

/** Of each of stdout and stderr, where nothing else is said. */
export const DEFAULT_CAPTURE = 16 * 1024 * 1024;

const O_CLOEXEC = 0o2000000;
const MOST_FDS = 1 << 20;

const isStream = (value) => typeof value?.pipe === 'function' && typeof value.on === 'function';

function stream(fd, value) {
  if (fd === 0 && typeof value.read !== 'function') throw new TypeError('a Readable is wanted');
  if (fd !== 0 && typeof value.write !== 'function') throw new TypeError('a Writable is wanted');
  return fd === 0 ? { source: value } : { sink: value };
}

function capture(value) {
  const [[key, most] = [], ...others] = Object.entries(known(value, ['capture', 'captureHead']));
  if (!key || others.length) throw new TypeError('capture or captureHead is wanted');
  return { capture: key === 'capture' ? 'capture' : 'capture_head', most: limit(most) };
}

const WORDS = { ignore: { ignore: true }, close: { fd: () => -1 } };

// What one of the program's fds is: one of fd, ignore, capture, source, sink.
function entry(fd, value) {
  if (value === 'inherit') return { fd: () => fd };
  if (typeof value === 'string') {
    if (Object.hasOwn(WORDS, value)) return WORDS[value];
    throw new TypeError("'inherit', 'ignore' or 'close' is wanted; what the program is to read goes into input");
  }
  if (isStream(value)) return stream(fd, value);
  if (typeof value === 'number' || typeof value?.fd === 'number') {
    hostFd(value);
    return { fd: () => hostFd(value) };
  }
  return capture(value);
}

function numbered(files) {
  return Object.entries(object(files)).map(([key, value]) => {
    const fd = integer(key.trim() === '' ? NaN : Number(key), 'int');
    if (fd < 0 || fd >= MOST_FDS) throw new RangeError(`${key} is no file descriptor of a program`);
    return [key, fd, value];
  });
}

function pipe(fd) {
  const ends = new Int32Array(2);
  if (libc.pipe2(ends, O_CLOEXEC) < 0) {
    const err = errno();
    const message = `a pipe for fd ${fd} of the program: ${getSystemErrorName(-err)}`;
    throw new RunnerError({ stage: Stage.STDIO, index: fd, err, message });
  }
  return ends;
}

function closeAll(fds) {
  for (const fd of fds.splice(0)) closeSync(fd);
}

export class Stdio {
  #entries = new Map();
  #defaultCapture;

  constructor({ stdin, stdout, stderr, files = {}, input, outputLimit = DEFAULT_CAPTURE }) {
    const named = [['stdin', 0, stdin], ['stdout', 1, stdout], ['stderr', 2, stderr]];
    const others = naming('files', () => numbered(files)).map(([key, fd, value]) => [`files: ${key}`, fd, value]);
    for (const [name, fd, value] of [...named, ...others]) {
      if (value !== undefined) this.#add(name, fd, value);
    }
    if (input !== undefined && this.#entries.has(0)) throw new TypeError('input: there is stdin, too');
    this.#defaultCapture = naming('outputLimit', () => limit(outputLimit));
  }

  #add(name, fd, value) {
    if (this.#entries.has(fd)) throw new TypeError(`${name}: it is given twice`);
    this.#entries.set(fd, naming(name, () => entry(fd, value)));
  }

  /** Gives a runner its files for one start, of a run that is watched or of one that is not. */
  open(runner, watched) {
    return new OpenStdio(this.#complete(watched), runner, watched);
  }

  #complete(watched) {
    const missing = watched ? [1, 2].filter((fd) => !this.#entries.has(fd)) : [];
    const captures = missing.map((fd) => [fd, { capture: 'capture', most: this.#defaultCapture }]);
    return new Map([...this.#entries, ...captures]);
  }
}

class OpenStdio {
  /** The program's fds that are captured. */
  captured = [];
  #theirs = [];
  #pumped = [];
  #entries;

  constructor(entries, runner, watched) {
    this.#entries = entries;
    try {
      for (const [fd, { capture, most }] of entries) if (capture) this.#capture(runner, fd, capture, most);
      const fds = this.#files(watched);
      if (fds) checked(lib.set_files(runner, fds, fds.length));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #capture(runner, fd, setter, most) {
    checked(lib[setter](runner, fd, most));
    this.captured.push(fd);
  }

  // The host's fd for each of the program's, or nothing where the library's own choice will do.
  #files(watched) {
    const entries = [...this.#entries].filter(([, { capture }]) => !capture);
    if (!entries.length) return undefined;
    const fds = new Int32Array(Math.max(3, ...entries.map(([fd]) => fd + 1))).fill(-1);
    for (const fd of [0, 1, 2]) if (!this.#entries.has(fd)) fds[fd] = this.#null();
    for (const [fd, value] of entries) fds[fd] = this.#hostFd(fd, value, watched);
    return fds;
  }

  #hostFd(fd, { fd: own, ignore, source, sink }, watched) {
    if (own) return own();
    if (ignore) return this.#null();
    if (!watched) throw new TypeError(`a stream as fd ${fd} needs run() or spawn()`);
    if (sink?.writable === false) throw new TypeError(`the Writable for fd ${fd} has ended`);
    const [read, write] = pipe(fd);
    const [theirs, ours] = source ? [read, write] : [write, read];
    this.#theirs.push(theirs);
    this.#pumped.push({ ours, source, sink });
    return theirs;
  }

  #null() {
    const fd = openSync('/dev/null', 'r+');
    this.#theirs.push(fd);
    return fd;
  }

  /** The program has its files: from now on the streams flow. */
  started(failed) {
    const pumps = new Pumps(failed);
    for (const { ours, source, sink } of this.#pumped.splice(0)) {
      if (source) pumps.feed(source, ours);
      else pumps.drain(ours, sink);
    }
    return pumps;
  }

  /** What was opened for the start and is not the streams' by now. */
  close() {
    closeAll(this.#theirs);
    closeAll(this.#pumped.splice(0).map(({ ours }) => ours));
  }
}
