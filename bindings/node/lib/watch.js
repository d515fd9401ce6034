// Tells when a file descriptor is readable: in libuv's own poll, so that no run needs a thread.
import koffi from 'koffi';

export class Watch {
  #poll;
  #wake;

  /** Calls `ready` once; arm() for the next time. */
  constructor(fd, ready) {
    // koffi calls it outside of what Node takes for a callback: promises would not go on after it.
    this.#wake = () => {
      this.#poll?.stop();
      setImmediate(ready);
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
