// The package in several threads at once.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { librunner } from './setup.js';

const { Command, run } = librunner;

async function work() {
  const command = new Command(['/bin/sh', '-c', 'echo done'], { wallLimit: 60_000 });
  const results = await Promise.all(Array.from({ length: 50 }, () => command.run()));
  const error = await run(['/nonexistent']).catch(({ code }) => code);
  return results.every(({ ok, stdout }) => ok && stdout.toString() === 'done\n') && error === 'ENOENT';
}

if (!isMainThread) {
  parentPort.postMessage(await work());
} else {
  test('four threads and this one run programs at the same time', { timeout: 120_000 }, async () => {
    const answers = Array.from({ length: 4 }, async () => {
      const worker = new Worker(fileURLToPath(import.meta.url));
      const [[answer]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
      return answer;
    });
    assert.deepEqual(await Promise.all([work(), ...answers]), [true, true, true, true, true]);
  });

  test('handles stay in their thread', async () => {
    const command = new Command(['/bin/sleep', '1000']);
    const process = await command.spawn();
    for (const handle of [command, process]) {
      const copy = structuredClone(handle);
      for (const method of ['run', 'kill', 'wait']) assert.equal(copy[method], undefined);
    }
    assert.throws(() => Object.getPrototypeOf(process).kill.call({}), TypeError);
    await assert.rejects(async () => Object.getPrototypeOf(command).run.call({}), TypeError);
    await process.dispose();
  });
}
