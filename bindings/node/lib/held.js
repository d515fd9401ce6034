// A program that waits right before its exec.
import { closeSync } from 'node:fs';
import { call } from './calls.js';
import { Child } from './child.js';
import { RunnerError } from './error.js';
import { endWithThread, errno, hasEnded, lib, libc, struct } from './library.js';

const F_DUPFD_CLOEXEC = 1030;

function abort(handle) {
  hasEnded('held_abort', handle);
  return call(lib.held_abort, handle);
}

const lost = new FinalizationRegistry(abort);

// The handle's own ends with the handle.
function pidfdOf(handle) {
  const fd = libc.fcntl(lib.held_pidfd(handle), F_DUPFD_CLOEXEC, 'int', 0);
  if (fd < 0) throw Object.assign(new Error('no pidfd for the program'), { errno: errno() });
  return fd;
}

export class Held {
  static {
    if (Symbol.asyncDispose) this.prototype[Symbol.asyncDispose] = this.prototype.abort;
  }

  #handle;
  #pid;
  #aborted;

  constructor(handle) {
    this.#handle = handle;
    this.#pid = lib.held_pid(handle);
    lost.register(this, handle, this);
    endWithThread('held_abort', handle);
  }

  get pid() {
    return this.#pid;
  }

  #take() {
    const handle = this.#handle;
    this.#handle = undefined;
    lost.unregister(this);
    return handle;
  }

  async resume() {
    if (!this.#handle) throw new Error('the start has been resumed or aborted');
    const pidfd = pidfdOf(this.#handle);
    const error = struct('runner_error_t');
    const handle = this.#take();
    hasEnded('held_abort', handle);
    const pid = await call(lib.held_resume, handle, error);
    if (pid < 0) {
      closeSync(pidfd);
      throw new RunnerError(error);
    }
    return new Child(pid, pidfd);
  }

  async abort() {
    if (this.#handle) this.#aborted = abort(this.#take());
    await this.#aborted;
  }
}
