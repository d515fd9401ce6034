// A watched run, as its owner has it.
import { integer } from './convert.js';

// Killed where its owner has lost it; freed when it is dead.
const lost = new FinalizationRegistry((run) => run.fail(new Error('nobody waits for the run')));

export class Process {
  static {
    // `await using`, where the language has it.
    if (Symbol.asyncDispose) this.prototype[Symbol.asyncDispose] = this.prototype.dispose;
  }

  #run;
  #disposed;

  constructor(run) {
    this.#run = run;
    lost.register(this, run, this);
  }

  #used() {
    if (this.#disposed) throw new Error('the run has been disposed');
    return this.#run;
  }

  get pid() {
    return this.#run.pid;
  }

  async wait() {
    const run = this.#used();
    run.waiting = this;
    return run.settled;
  }

  kill() {
    this.#used().kill();
  }

  async usage() {
    return this.#used().usage();
  }

  async output(fd) {
    return this.#used().output(Number(integer(fd, 'int')));
  }

  dispose() {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose() {
    lost.unregister(this);
    this.#run.fail(new Error('the run has been disposed'));
    await this.#run.settled.catch(() => {});
  }
}
