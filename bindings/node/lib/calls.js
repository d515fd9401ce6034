// Calls that take time, on libuv's threads. Files and DNS need these too, so half of them are never used.
const threads = Math.min(Math.max(Number(process.env.UV_THREADPOOL_SIZE) || 4, 1), 1024);
const MOST = Math.max(1, Math.floor(threads / 2));

const urgent = [];
const starts = [];
let running = 0;

function next() {
  while (running < MOST && (urgent.length || starts.length)) {
    running++;
    (urgent.shift() ?? starts.shift())();
  }
}

function queued(queue, func, args) {
  return new Promise((resolve, reject) => {
    const settle = (error, value) => {
      running--;
      if (error) reject(error);
      else resolve(value);
      next();
    };
    queue.push(() => {
      try {
        func.async(...args, settle);
      } catch (error) {
        settle(error);
      }
    });
    next();
  });
}

/** Calls `func` on another thread. */
export const call = (func, ...args) => queued(urgent, func, args);

/** The same, but what is to be done for those that run already goes first. */
export const callLater = (func, ...args) => queued(starts, func, args);
