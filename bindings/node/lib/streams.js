// Streams as the program's files: pipes whose ends here are libuv's, which never block.
import { Socket } from 'node:net';
import { finished } from 'node:stream';

const nothing = () => {};

/** Writes what a Readable gives into a pipe, to its end or until nobody reads any more. The Readable stays open. */
function feed(source, fd, failed) {
  const socket = new Socket({ fd, readable: false, writable: true });
  // EPIPE: that the program does not want all of its input is its own affair.
  socket.on('error', nothing);
  const write = (chunk) => {
    try {
      if (!socket.write(chunk)) source.pause();
    } catch (error) {
      failed(error);
    }
  };
  const resume = () => source.resume();
  socket.on('drain', resume);
  const done = finished(source, { writable: false }, (error) => (error ? failed(error) : socket.end()));
  socket.once('close', () => {
    done();
    source.off('data', write);
    source.pause();
  });
  source.on('data', write);
  return socket;
}

const isOurs = (stream) => stream === process.stdout || stream === process.stderr;

/** A Writable that gets what comes out of pipes, and is ended after the last of them, as pipe() does. */
class Sink {
  #stream;
  #open = 0;
  #release;
  done;

  constructor(stream, failed) {
    this.#stream = stream;
    this.done = new Promise((resolve) => {
      this.#release = resolve;
    });
    const unwatch = finished(stream, { readable: false }, (error) => {
      if (error) failed(error);
      else if (this.#open) failed(new Error('a Writable was ended before the program was'));
      else this.#release();
    });
    stream.on('error', failed);
    this.done.then(() => {
      unwatch();
      stream.off('error', failed);
    });
  }

  take(fd, failed) {
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.on('error', failed);
    this.#open++;
    socket.pipe(this.#stream, { end: false });
    socket.once('close', () => {
      this.#open--;
      if (!this.#open) this.end();
    });
    return socket;
  }

  end() {
    if (isOurs(this.#stream)) this.#release();
    else this.#stream.end();
  }

  release() {
    this.#release();
  }
}

/** All streams of one run. `failed` gets what goes wrong with one of them. */
export class Pumps {
  #sockets = [];
  #sinks = new Map();
  #failed;

  constructor(failed) {
    this.#failed = failed;
  }

  feed(source, fd) {
    this.#sockets.push(feed(source, fd, this.#failed));
  }

  drain(fd, stream) {
    if (!this.#sinks.has(stream)) this.#sinks.set(stream, new Sink(stream, this.#failed));
    this.#sockets.push(this.#sinks.get(stream).take(fd, this.#failed));
  }

  /** Everything has been written, and taken in. */
  async flushed() {
    await Promise.all([...this.#sinks.values()].map((sink) => sink.done));
  }

  /** The pipes are closed; what is still in them is lost. */
  close() {
    for (const socket of this.#sockets) socket.destroy();
    for (const sink of this.#sinks.values()) sink.release();
  }
}
