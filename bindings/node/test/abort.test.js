// AbortSignal, dispose, kill: how a run is ended from here.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, librunner } from './setup.js';

const { Command, run } = librunner;
const sleeper = new Command(['/bin/sh', '-c', 'sleep 1000 & sleep 1000']);

test('an aborted run is killed, and rejected with the reason when it is gone', async () => {
  const controller = new AbortController();
  const process = await sleeper.spawn({ signal: controller.signal });
  const waited = process.wait();
  controller.abort();
  await assert.rejects(waited, { name: 'AbortError' });
  assert(!isAlive(process.pid));
});

test('the reason is the one that was given', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  setTimeout(() => controller.abort(reason), 50);
  await assert.rejects(run(['/bin/sleep', '1000'], { signal: controller.signal }), (error) => error === reason);
});

test('a timeout signal is a TimeoutError', async () => {
  await assert.rejects(sleeper.run({ signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' });
});

test('a signal that has come before starts nothing', async () => {
  const command = new Command(['/nonexistent']);
  await assert.rejects(command.run({ signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('a signal that comes during the start', async () => {
  for (let i = 0; i < 20; i++) {
    const controller = new AbortController();
    const started = sleeper.spawn({ signal: controller.signal });
    setTimeout(() => controller.abort(), i % 5);
    await assert.rejects(started.then((process) => process.wait()), { name: 'AbortError' });
  }
});

test('a signal that comes after the end changes nothing, and is forgotten', async () => {
  const controller = new AbortController();
  const result = await run(['/bin/true'], { signal: controller.signal });
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  controller.abort();
  assert(result.ok);
});

test('an aborted process that nobody waits for is no unhandled rejection', async () => {
  const controller = new AbortController();
  const process = await sleeper.spawn({ signal: controller.signal });
  controller.abort();
  await sleep(300);
  assert(!isAlive(process.pid));
  await assert.rejects(process.wait(), { name: 'AbortError' });
});

test('one signal ends a hundred runs, without a warning', async (t) => {
  const warnings = [];
  const warned = (warning) => warnings.push(warning);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));
  const controller = new AbortController();
  const runs = Array.from({ length: 100 }, () => run(['/bin/sleep', '1000'], { signal: controller.signal }));
  setTimeout(() => controller.abort(), 300);
  const ends = await Promise.allSettled(runs);
  assert(ends.every(({ reason }) => reason?.name === 'AbortError'));
  await sleep(10);
  assert.deepEqual(warnings, []);
});

test('an abort gets a run out of a stream that nobody reads', async () => {
  const controller = new AbortController();
  const stuck = new PassThrough();
  const ended = run(['/bin/sh', '-c', 'head -c 1000000 /dev/zero'], { stdout: stuck, signal: controller.signal });
  setTimeout(() => controller.abort(), 200);
  await assert.rejects(ended, { name: 'AbortError' });
});

test('a disposed process is gone, and of no use any more', async () => {
  const process = await sleeper.spawn();
  const { pid } = process;
  const waited = process.wait();
  await Promise.all([process.dispose(), process.dispose()]);
  await process.dispose();
  assert(!isAlive(pid));
  await assert.rejects(waited, /disposed/);
  assert.throws(() => process.kill(), /disposed/);
  await assert.rejects(process.wait(), /disposed/);
  await assert.rejects(process.usage(), /disposed/);
  await assert.rejects(process.output(1), /disposed/);
});

test('a process that is over can be disposed', async () => {
  const process = await new Command(['/bin/true']).spawn();
  await process.wait();
  await process.dispose();
  await assert.rejects(process.output(1), /disposed/);
});

test('await using', { skip: Symbol.asyncDispose ? false : 'no Symbol.asyncDispose' }, async () => {
  const process = await sleeper.spawn();
  await process[Symbol.asyncDispose]();
  assert(!isAlive(process.pid));
  const held = await sleeper.hold();
  await held[Symbol.asyncDispose]();
  assert(!isAlive(held.pid));
});

test('kill, usage, output and dispose at once', async () => {
  for (let i = 0; i < 30; i++) {
    const process = await new Command(['/usr/bin/yes'], { outputLimit: 1 << 30 }).spawn();
    const asked = [process.usage(), process.output(1), process.wait(), process.usage(), process.output(1)];
    process.kill();
    if (i % 2) asked.push(process.dispose());
    await Promise.allSettled(asked);
    assert(!isAlive(process.pid));
  }
});
