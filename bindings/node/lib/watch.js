// Tells when a file descriptor is readable, so that no run needs a thread.
import { isMainThread } from 'node:worker_threads';
import koffi from 'koffi';
import { libc } from './library.js';

/** In libuv's own poll. */
class LoopWatch {
  #poll;
  #wake;

  /** Calls `ready` once; arm() for the next time. */
  constructor(fd, ready) {
    this.#wake = () => {
      this.#poll.stop();
      ready();
    };
    this.#poll = koffi.node.poll(fd, this.#wake);
  }

  arm() {
    this.#poll?.start(this.#wake);
  }

  close() {
    this.#poll?.close();
    this.#poll = undefined;
  }
}

const POLLIN = 1;
const PAUSE = 2;
const armed = new Set();
let timer;

/** Which of the fds are readable. struct pollfd is an int and two shorts. */
function readable(fds) {
  const ints = new Int32Array(2 * fds.length);
  const shorts = new Int16Array(ints.buffer);
  fds.forEach((fd, i) => {
    ints[2 * i] = fd;
    shorts[4 * i + 2] = POLLIN;
  });
  libc.poll(ints, fds.length, 0);
  return fds.map((_, i) => shorts[4 * i + 3] !== 0);
}

function look() {
  const watches = [...armed];
  const ready = readable(watches.map(({ fd }) => fd));
  watches.filter((_, i) => ready[i]).forEach((watch) => watch.wake());
  timer = armed.size ? setTimeout(look, PAUSE) : undefined;
}

/**
 * By a timer, which looks at all of them: a worker thread can be terminated, and where an fd of koffi's poll is
 * readable at that moment the whole process is aborted.
 */
class TimerWatch {
  fd;
  #ready;
  #closed = false;

  constructor(fd, ready) {
    this.fd = fd;
    this.#ready = ready;
    this.arm();
  }

  wake() {
    armed.delete(this);
    this.#ready();
  }

  arm() {
    if (this.#closed) return;
    armed.add(this);
    timer ??= setTimeout(look, PAUSE);
  }

  close() {
    this.#closed = true;
    armed.delete(this);
  }
}

export const Watch = isMainThread ? LoopWatch : TimerWatch;
