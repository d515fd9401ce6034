// What to run, and how.
import { obey } from './abort.js';
import { call, callLater } from './calls.js';
import { Child } from './child.js';
import { hostFd, known, naming, object } from './convert.js';
import { RunnerError } from './error.js';
import { Held } from './held.js';
import { lib, struct } from './library.js';
import { OPTIONS, apply } from './options.js';
import { Process } from './process.js';
import { Run } from './run.js';
import { Stdio } from './stdio.js';

const freed = new FinalizationRegistry((runner) => lib.free(runner));

// Open files, which are borrowed for each start.
const BORROWED = { execFile: 'set_exec_fd', cgroupFd: 'set_cgroup_fd' };
const FILES = ['stdin', 'stdout', 'stderr', 'files'];
const KNOWN = [...Object.keys(OPTIONS), ...Object.keys(BORROWED), ...FILES];

// null is as good as nothing.
const given = (options) => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null));

function signalOf(options = {}) {
  const { signal } = known(options, ['signal']);
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw new TypeError('signal: an AbortSignal is wanted');
  }
  return signal;
}

export class Command {
  #runner;
  #stdio;
  #borrowed;

  constructor(args, options = {}) {
    const all = given(known(options, KNOWN));
    this.#stdio = new Stdio(all);
    this.#borrowed = Object.entries(BORROWED).filter(([name]) => name in all).map(([name, setter]) => {
      naming(name, () => hostFd(all[name]));
      return { name, setter, file: all[name] };
    });
    this.#runner = lib.new();
    freed.register(this, this.#runner);
    apply(this.#runner, args, all);
  }

  // A copy, with the files of one start.
  #prepare(watched) {
    const runner = lib.clone(this.#runner);
    try {
      for (const { name, setter, file } of this.#borrowed) naming(name, () => lib[setter](runner, hostFd(file)));
      return [runner, this.#stdio.open(runner, watched)];
    } catch (error) {
      lib.free(runner);
      throw error;
    }
  }

  async #start(watched, start) {
    const [runner, stdio] = this.#prepare(watched);
    try {
      return await start(runner, stdio);
    } finally {
      stdio.close();
      lib.free(runner);
    }
  }

  async #watched(signal) {
    signal?.throwIfAborted();
    const run = await this.#start(true, async (runner, stdio) => {
      const error = struct('runner_error_t');
      const handle = await callLater(lib.spawn, runner, error);
      if (handle === null) throw new RunnerError(error);
      try {
        return new Run(handle, stdio);
      } catch (cause) {
        await call(lib.process_free, handle);
        throw cause;
      }
    });
    if (signal) obey(signal, run);
    if (signal?.aborted) await run.settled;
    return new Process(run);
  }

  async run(options) {
    const process = await this.#watched(signalOf(options));
    return process.wait();
  }

  async spawn(options) {
    return this.#watched(signalOf(options));
  }

  async start() {
    return this.#start(false, async (runner) => {
      const [pid, pidfd, error] = [[null], [null], struct('runner_error_t')];
      if (await callLater(lib.start_pidfd, runner, pid, pidfd, error) < 0) throw new RunnerError(error);
      return new Child(pid[0], pidfd[0]);
    });
  }

  async hold() {
    return this.#start(false, async (runner) => {
      const [handle, error] = [[null], struct('runner_error_t')];
      if (await callLater(lib.start_held, runner, handle, error) < 0) throw new RunnerError(error);
      return new Held(handle[0]);
    });
  }

  explain() {
    const [runner, stdio] = this.#prepare(true);
    try {
      return explanation(runner);
    } finally {
      stdio.close();
      lib.free(runner);
    }
  }
}

function explanation(runner, size = 4096) {
  const text = Buffer.alloc(size);
  const length = lib.explain(runner, text, size);
  if (length < 0) throw new RangeError(text.toString('utf8', 0, text.indexOf(0)));
  return length < size ? text.toString('utf8', 0, length) : explanation(runner, length + 1);
}

/** Runs a program to its end. */
export async function run(args, options = {}) {
  const { signal, ...others } = object(options);
  return new Command(args, others).run({ signal });
}
