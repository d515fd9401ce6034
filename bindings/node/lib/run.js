// A watched run: steps it when its fd is readable, and sees to its end. Nobody outside of the package has one, so that a
// Process, which is what they have, can become garbage while this goes on.
import { call } from './calls.js';
import { endWithThread, hasEnded, lib, libc, struct } from './library.js';
import { Result, Usage } from './result.js';
import { Watch } from './watch.js';

// Whose programs are not to survive this thread. (Of a worker that is terminated, Node-API sees to that.)
const live = new Set();
process.on('exit', () => {
  for (const run of live) run.abandon();
});

const ignored = () => {};

export class Run {
  /** Resolves to the result, when nothing of the run is left. */
  settled;
  /** Who waits for it is no garbage. */
  waiting;
  pid;
  #handle;
  #captured;
  #watch;
  #pumps;
  #turn = Promise.resolve();
  #busy = 0;
  #last;
  #over = false;
  #failure;
  #hasFailed;
  #settle;

  constructor(handle, stdio) {
    this.#handle = handle;
    this.#captured = stdio.captured;
    this.pid = lib.process_pid(handle);
    this.settled = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.settled.catch(ignored);
    const failed = new Promise((resolve) => {
      this.#hasFailed = resolve;
    });
    this.#watch = new Watch(lib.process_fd(handle), () => this.#step(failed));
    this.#pumps = stdio.started((error) => this.fail(error));
    live.add(this);
    endWithThread('process_free', handle);
  }

  /** One call of the library at a time for a run, since what the one tells is no longer true after the other. */
  #inTurn(action) {
    const done = this.#turn.then(action);
    this.#turn = done.catch(ignored);
    return done;
  }

  async #call(func, ...args) {
    this.#busy++;
    try {
      return await call(func, this.#handle, ...args);
    } finally {
      this.#busy--;
    }
  }

  async #step(failed) {
    try {
      await this.#inTurn(async () => {
        if (this.#over) return;
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
    if (this.#over) await this.#conclude(failed);
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

  async #conclude(failed) {
    await Promise.race([this.#pumps.flushed(), failed]);
    this.#pumps.close();
    this.waiting = undefined;
    if (this.#failure) this.#settle.reject(this.#failure.error);
    else this.#settle.resolve(new Result(this.#last.raw, this.#last.output));
  }

  async #copy(fd) {
    const [data, length] = [[null], [null]];
    lib.process_output(this.#handle, fd, data, length);
    const copy = Buffer.allocUnsafeSlow(Number(length[0]));
    if (copy.length) await call(libc.memcpy, copy, data[0], copy.length);
    return copy;
  }

  /** Kills the run; what waits for it gets the error. */
  fail(error) {
    this.#failure ??= { error };
    this.#hasFailed();
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
    if (this.#busy) {
      lib.process_kill(this.#handle);
    } else {
      this.#forget();
      lib.process_free(this.#handle);
    }
  }
}
