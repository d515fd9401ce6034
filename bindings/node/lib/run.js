// A watched run: steps it when its fd is readable, and sees to its end. Nobody outside of the package has one, so
// that a Process, which is what they have, can become garbage while this goes on.
import { setImmediate as turn } from 'node:timers/promises';
import { call } from './calls.js';
import { endWithThread, hasEnded, lib, libc, struct } from './library.js';
import { Result, Usage } from './result.js';
import { Watch } from './watch.js';

// Whose programs are not to survive this thread. (Of a worker that is terminated, Node-API sees to that.)
const live = new Set();
process.on('exit', () => {
  for (const run of live) run.abandon();
});

// Of a copy, in one turn of the loop.
const PART = 1 << 20;
// With a run that is to end before this thread does, in ns.
const PATIENCE = 1_000_000_000n;

const ignored = () => {};

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}

export class Run {
  pid;
  /** Who waits for it is no garbage. */
  waiting;
  #handle;
  #captured;
  #watch;
  #pumps;
  #turn = Promise.resolve();
  // Another thread has the handle.
  #busy = false;
  #over = false;
  #last;
  #failure;
  #failed = deferred();
  #settled = deferred();

  constructor(handle, stdio) {
    this.#handle = handle;
    this.#captured = stdio.captured;
    this.#settled.promise.catch(ignored);
    this.pid = lib.process_pid(handle);
    this.#watch = new Watch(lib.process_fd(handle), () => this.#step());
    this.#pumps = stdio.started((error) => this.fail(error));
    live.add(this);
    endWithThread('process_free', handle);
  }

  /** Resolves to the result when nothing of the run is left. */
  get settled() {
    return this.#settled.promise;
  }

  /** One call of the library at a time for a run, since what the one tells is no longer true after the other. */
  #inTurn(action) {
    const done = this.#turn.then(action);
    this.#turn = done.catch(ignored);
    return done;
  }

  async #call(func, ...args) {
    this.#busy = true;
    try {
      return await call(func, this.#handle, ...args);
    } finally {
      this.#busy = false;
    }
  }

  /** What is captured stays where it is while nothing else is called. */
  async #copy(fd) {
    const [data, length] = [[null], [null]];
    lib.process_output(this.#handle, fd, data, length);
    const copy = Buffer.allocUnsafeSlow(Number(length[0]));
    for (let at = 0; at < copy.length; at += PART) {
      if (at) await turn();
      libc.memcpy(copy.subarray(at), data[0] + BigInt(at), Math.min(PART, copy.length - at));
    }
    return copy;
  }

  async #step() {
    try {
      await this.#inTurn(async () => {
        const raw = struct('runner_result_t');
        const code = await this.#call(lib.process_step, raw);
        if (code < 0) this.fail(new Error(`runner_process_step: ${code}`));
        if (code === 0) this.#watch.arm();
        else await this.#finish(raw);
      });
    } catch (error) {
      this.fail(error);
      this.#watch.arm();
    }
    if (this.#over) await this.#conclude();
  }

  async #finish(raw) {
    this.#over = true;
    this.#watch.close();
    const output = {};
    for (const fd of this.#captured) output[fd] = await this.#copy(fd);
    this.#last = { raw, output };
    this.#forget();
    await this.#call(lib.process_free);
  }

  async #conclude() {
    await Promise.race([this.#pumps.flushed(), this.#failed.promise]);
    this.#pumps.close();
    this.waiting = undefined;
    if (this.#failure) this.#settled.reject(this.#failure.error);
    else this.#settled.resolve(new Result(this.#last.raw, this.#last.output));
  }

  /** Kills the run; what waits for it gets the error. */
  fail(error) {
    this.#failure ??= { error };
    this.#failed.resolve();
    this.kill();
  }

  kill() {
    this.#inTurn(async () => {
      if (!this.#over) await this.#call(lib.process_kill);
    }).catch(() => lib.process_kill(this.#handle));
  }

  usage() {
    return this.#inTurn(async () => {
      if (this.#over) return new Usage(this.#last.raw);
      const raw = struct('runner_result_t');
      await this.#call(lib.process_usage, raw);
      return new Usage(raw);
    });
  }

  async output(fd) {
    if (!this.#captured.includes(fd)) throw new RangeError(`fd ${fd} is not captured`);
    return this.#inTurn(() => (this.#over ? this.#last.output[fd] : this.#copy(fd)));
  }

  #forget() {
    live.delete(this);
    hasEnded('process_free', this.#handle);
  }

  /** This thread exits, and nothing can be waited for. */
  abandon() {
    this.#watch.close();
    this.#forget();
    if (this.#busy) {
      lib.process_kill(this.#handle);
      lib.process_wait(this.#handle, PATIENCE, struct('runner_result_t'));
    } else {
      lib.process_free(this.#handle);
    }
  }
}
