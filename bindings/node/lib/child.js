// A program that was only started: told when it ends, by its pidfd, and nothing more.
import { closeSync } from 'node:fs';
import { call } from './calls.js';
import { libc } from './library.js';
import { signalName } from './result.js';
import { Watch } from './watch.js';

const WNOHANG = 1;

// As WIFEXITED and its like take a status apart.
function status(raw) {
  const signal = raw & 0x7f;
  return { exitCode: signal ? null : (raw >> 8) & 0xff, signal: signalName(signal) };
}

export class Child {
  #pid;
  #ended;
  #over = false;

  constructor(pid, pidfd) {
    this.#pid = pid;
    this.#ended = new Promise((resolve, reject) => {
      const watch = new Watch(pidfd, async () => {
        const raw = [null];
        try {
          const code = await call(libc.waitpid, pid, raw, WNOHANG);
          if (code === 0) return watch.arm();
          if (code < 0) throw new Error(`somebody else has waited for process ${pid}`);
          resolve(status(raw[0]));
        } catch (error) {
          reject(error);
        }
        this.#over = true;
        watch.close();
        return closeSync(pidfd);
      });
    });
    this.#ended.catch(() => {});
  }

  get pid() {
    return this.#pid;
  }

  wait() {
    return this.#ended;
  }

  kill(signal = 'SIGTERM') {
    return !this.#over && process.kill(this.#pid, signal);
  }
}
