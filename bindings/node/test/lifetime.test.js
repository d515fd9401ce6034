// Handles that are lost, a thread that ends, a process that exits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gc, isAlive, librunner, openFds, script, until } from './setup.js';

const { Command, run } = librunner;
const sleeper = new Command(['/bin/sh', '-c', 'sleep 1000 & sleep 1000']);

const pids = (stdout) => [...stdout.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));

async function collected(what, condition) {
  await until(what, async () => {
    gc();
    await sleep(1);
    return condition();
  });
}

test('a process that nobody has any more is killed and freed', async () => {
  await (await sleeper.spawn()).dispose();
  const before = openFds();
  const lost = await Promise.all(Array.from({ length: 20 }, async () => (await sleeper.spawn()).pid));
  await collected('they are dead', () => !lost.some(isAlive));
  await until('they are freed', () => openFds() === before);
});

test('a process that somebody waits for is not', async () => {
  const waited = await Promise.all(Array.from({ length: 20 }, async () => {
    const process = await new Command(['/bin/sleep', '0.5']).spawn();
    return [process.wait()];
  }));
  for (let i = 0; i < 20; i++) {
    gc();
    await sleep(10);
  }
  for (const [result] of waited) assert((await result).ok);
});

test('garbage is collected in the middle of everything', async () => {
  const timer = setInterval(gc, 1);
  const results = await Promise.all(Array.from({ length: 100 }, (_, i) => run(['/bin/cat'], { input: `${i}` })));
  clearInterval(timer);
  assert(results.every(({ ok, stdout }, i) => ok && stdout.toString() === `${i}`));
});

test('a held start that nobody has any more is killed', async () => {
  const lost = await Promise.all(Array.from({ length: 5 }, async () => (await sleeper.hold()).pid));
  await collected('they are dead', () => !lost.some(isAlive));
});

test('a command that nobody has any more is freed, and its runs go on', async () => {
  const process = await new Command(['/bin/sleep', '0.3'], { input: Buffer.alloc(1000) }).spawn();
  for (let i = 0; i < 5; i++) {
    gc();
    await sleep(10);
  }
  assert((await process.wait()).ok);
});

const EXITS = {
  'process.exit': 'process.exit(3);',
  'an exception': 'setTimeout(() => { throw new Error("on purpose"); }, 1);',
};

for (const [name, exit] of Object.entries(EXITS)) {
  test(`runs end with this process: ${name}`, async () => {
    const { stdout, code, signal } = await script(`
      const command = new librunner.Command(['/bin/sh', '-c', 'sleep 1000 & sleep 1000']);
      for (let i = 0; i < 5; i++) console.log('pid', (await command.spawn()).pid);
      console.log('pid', (await command.hold()).pid);
      const busy = await command.spawn();
      console.log('pid', busy.pid);
      busy.usage();
      ${exit}
    `);
    assert.deepEqual([code, signal], [name === 'process.exit' ? 3 : 1, null]);
    assert.equal(pids(stdout).length, 7);
    await until('they are dead', () => !pids(stdout).some(isAlive));
  });
}

const INDEX = new URL('../index.js', import.meta.url).href;

// A worker thread with two runs, a held start, and a start under way.
const WORK = `import('node:worker_threads').then(async ({ parentPort, workerData }) => {
  const { Command } = await import('${INDEX}');
  const command = new Command(['/bin/sh', '-c', 'sleep 1000 & sleep 1000']);
  globalThis.kept = [await command.spawn(), await command.spawn(), await command.hold()];
  for (const { pid } of kept) parentPort.postMessage('pid ' + pid);
  new Command(['/bin/sleep', '1']).spawn();
  if (workerData === 'kill') kept[0].kill();
  if (workerData === 'exit') process.exit();
  else parentPort.postMessage('now');
});`;

for (const how of ['exit', 'terminate', 'kill']) {
  test(`runs end with their worker thread, and do it no harm: ${how}`, async () => {
    const { stdout, stderr, code, signal } = await script(`
      import { once } from 'node:events';
      import { Worker } from 'node:worker_threads';
      for (let i = 0; i < 5; i++) {
        const worker = new Worker(${JSON.stringify(WORK)}, { eval: true, workerData: '${how}' });
        worker.on('message', (message) => (message === 'now' ? worker.terminate() : console.log(message)));
        await once(worker, 'exit');
      }
      console.log('survived');
    `);
    assert.deepEqual([code, signal], [0, null], stderr);
    assert(stdout.endsWith('survived\n'), stdout);
    assert.equal(pids(stdout).length, 15);
    await until('they are dead', () => !pids(stdout).some(isAlive));
  });
}
