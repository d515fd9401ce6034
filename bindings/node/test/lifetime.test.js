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

for (const call of ['usage()', 'output(1)', 'kill()']) {
  test(`all of a run ends with this process in the middle of ${call}`, async () => {
    for (let i = 0; i < 3; i++) {
      const { stdout, stderr, code, signal } = await script(`
        const args = ['/bin/sh', '-c', 'sleep 1000 & echo pid $! >&2; head -c 60000000 /dev/zero; sleep 1000'];
        const process_ = await new librunner.Command(args, { stdout: { capture: Infinity } }).spawn();
        while ((await process_.usage()).outputBytes < 60000000);
        console.log('pid ' + process_.pid + (await process_.output(2)));
        process_.${call};
        setTimeout(() => process.exit(0), ${i});
      `);
      assert.deepEqual([code, signal], [0, null], stderr);
      assert.equal(pids(stdout).length, 2);
      await until('they are dead', () => !pids(stdout).some(isAlive));
    }
  });
}

const INDEX = new URL('../index.js', import.meta.url).href;

// A worker thread with a run that ends in a moment, two that do not, a held start, and two starts under way.
const WORK = `import('node:worker_threads').then(async ({ parentPort, workerData }) => {
  const { Command } = await import('${INDEX}');
  const short = new Command(['/bin/sleep', '0.1']);
  const command = new Command(['/bin/sh', '-c', 'sleep 1000 & sleep 1000']);
  globalThis.kept = [await command.spawn(), await command.spawn(), await command.hold(), await short.spawn()];
  parentPort.postMessage(kept.map(({ pid }) => pid));
  short.spawn();
  short.hold();
  if (workerData === 'exit') process.exit();
  parentPort.postMessage('now');
  // Not even a turn of the loop, while the short one ends.
  if (workerData === 'blocked') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
});`;

for (const how of ['exit', 'terminate', 'blocked']) {
  test(`runs end with their worker thread, and do the process no harm: ${how}`, { timeout: 60_000 }, async () => {
    const { stdout, stderr, code, signal } = await script(`
      import { once } from 'node:events';
      import { readFileSync, readdirSync } from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      import { Worker } from 'node:worker_threads';
      const tasks = () => readdirSync('/proc/self/task').map((task) => '/proc/self/task/' + task + '/children');
      const children = () => tasks().flatMap((file) => readFileSync(file, 'utf8').match(/\\d+/g) ?? []).map(Number);
      for (let i = 0; i < 5; i++) {
        const worker = new Worker(${JSON.stringify(WORK)}, { eval: true, workerData: '${how}' });
        const started = [];
        worker.on('message', (message) => {
          if (message === 'now') setTimeout(() => worker.terminate(), 150);
          else started.push(...message);
        });
        await once(worker, 'exit');
        const left = children().filter((pid) => started.includes(pid));
        console.log(started.length, left.length);
        // Those whose starts were under way: a held one ends in a thread of the library.
        children().forEach((pid) => process.kill(pid, 'SIGKILL'));
        await sleep(50);
      }
      console.log('survived');
    `, { load: false });
    assert.deepEqual([code, signal], [0, null], stderr);
    assert.equal(stdout, `${'4 0\n'.repeat(5)}survived\n`);
  });
}
