// Runs that an AbortSignal ends. One listener serves all the runs of a signal: Node warns of eleven.
const listeners = new WeakMap();

class Listener {
  #runs = new Set();
  #signal;

  constructor(signal) {
    this.#signal = signal;
    signal.addEventListener('abort', this);
  }

  handleEvent() {
    for (const run of this.#runs) run.fail(this.#signal.reason);
  }

  add(run) {
    this.#runs.add(run);
  }

  delete(run) {
    this.#runs.delete(run);
    if (this.#runs.size) return;
    this.#signal.removeEventListener('abort', this);
    listeners.delete(this.#signal);
  }
}

/** Ends the run when the signal comes, which may be before or never. */
export function obey(signal, run) {
  if (signal.aborted) {
    run.fail(signal.reason);
    return;
  }
  if (!listeners.has(signal)) listeners.set(signal, new Listener(signal));
  const listener = listeners.get(signal);
  listener.add(run);
  const forget = () => listener.delete(run);
  run.settled.then(forget, forget);
}
