// The event loop goes on, and no run needs a thread.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ISOLATED, isAlive, lacking, librunner, script } from './setup.js';

const { Command, probe, run } = librunner;

/**
 * The longest turn of the loop while something is done, in ms of work: what passes while the loop waits, for a CPU
 * too on a machine that has other things to do, is none. A timer of 5 ms tells them apart.
 */
async function longestTurn(action) {
  let [last, longest] = [performance.eventLoopUtilization(), 0];
  const tick = () => {
    const now = performance.eventLoopUtilization();
    longest = Math.max(longest, now.active - last.active);
    last = now;
  };
  const timer = setInterval(tick, 5);
  await action();
  clearInterval(timer);
  tick();
  return longest;
}

// A thread that works can lose its CPU, so one good try of some is enough: what blocks is in every one.
async function staysBelow(most, action) {
  const turns = [];
  for (let i = 0; i < 8; i++) {
    turns.push(await longestTurn(action));
    if (turns.at(-1) < most) return;
    await sleep(100);
  }
  assert.fail(`turns of ${turns.map((turn) => turn.toFixed(1)).join(', ')} ms`);
}

const threads = () => Number(readFileSync('/proc/self/status', 'utf8').match(/^Threads:\s+(\d+)/m)[1]);

test('the loop goes on while 200 runs are started and waited for', async () => {
  const command = new Command(['/bin/sleep', '0.05'], {
    ...ISOLATED, wallLimit: 60_000, cpuLimit: 1000, memoryLimit: 64 << 20, processLimit: 10,
  });
  await staysBelow(20, async () => {
    const results = await Promise.all(Array.from({ length: 200 }, () => command.run()));
    assert(results.every(({ ok }) => ok));
  });
});

test('the loop goes on while a run of 1500 processes ends', async () => {
  const script = 'exec 9<&0; for i in $(seq 1500); do read x <&9 & done; exit 0';
  await staysBelow(20, async () => {
    const { ok, processesPeak } = await run(['/bin/sh', '-c', script], { stdin: new Readable({ read() {} }) });
    assert(ok);
    if (!lacking('pids_cgroup')) assert(processesPeak > 1500, processesPeak);
  });
});

test('the loop goes on while 64 MiB are taken in', async () => {
  const command = new Command(['/bin/cat', '/dev/zero'], { stdout: { capture: 64 << 20 } });
  await staysBelow(20, async () => assert.equal((await command.run()).stdout.length, 64 << 20));
});

test('a loop that has nothing else to do goes on, too', async () => {
  const { stdout } = await script(`
    const idle = setTimeout(() => {}, 5000);
    const begin = performance.now();
    await librunner.run(['/bin/true']);
    await (await new librunner.Command(['/bin/true']).start()).wait();
    console.log(performance.now() - begin < 2000);
    clearTimeout(idle);
  `);
  assert.equal(stdout, 'true\n');
});

test('the loop goes on during a probe, held starts and their ends', async () => {
  const command = new Command(['/bin/true'], ISOLATED);
  await staysBelow(20, () => Promise.all([probe(), ...Array.from({ length: 30 }, async (_, i) => {
    const held = await command.hold();
    if (i % 2) await held.abort();
    else await (await held.resume()).wait();
  })]));
});

test('300 sleeping runs need no more threads than one', async () => {
  const command = new Command(['/bin/sleep', '1000'], { wallLimit: 600_000 });
  await Promise.all(Array.from({ length: 10 }, async () => (await command.spawn()).dispose()));
  const before = threads();
  const processes = await Promise.all(Array.from({ length: 300 }, () => command.spawn()));
  const waited = processes.map((process) => process.wait());
  assert(processes.every(({ pid }) => isAlive(pid)));
  assert(threads() <= before, `${threads()} threads after ${before}`);
  processes.forEach((process) => process.kill());
  const results = await Promise.all(waited);
  assert(results.every(({ verdict, evidence }) => verdict === 'killed' && evidence === 'caller'));
});

test('files and names are still read while a thousand runs are started', async () => {
  const command = new Command(['/bin/true'], ISOLATED);
  let over = false;
  const runs = Promise.all(Array.from({ length: 1000 }, () => command.run())).finally(() => { over = true; });
  let [reads, slowest] = [0, 0];
  while (!over) {
    const begin = performance.now();
    await Promise.all([readFile('/etc/passwd'), lookup('localhost')]);
    slowest = Math.max(slowest, performance.now() - begin);
    reads++;
  }
  await runs;
  assert(reads >= 20, `${reads} reads, the slowest in ${slowest.toFixed(1)} ms`);
});

test('one thread of libuv is enough', async () => {
  const { stdout, stderr } = await script(`
    import { readFile } from 'node:fs/promises';
    const command = new librunner.Command(['/bin/sleep', '0.05']);
    const runs = Array.from({ length: 20 }, () => command.run());
    await readFile('/etc/passwd');
    console.log((await Promise.all(runs)).every(({ ok }) => ok));
  `, { env: { UV_THREADPOOL_SIZE: '1' } });
  assert.equal(stdout, 'true\n', stderr);
});

test('Node ends when no run is left, and not before', async () => {
  const { stdout, code } = await script(`
    const { Command } = librunner;
    process.on('exit', () => console.log('exit'));
    (await new Command(['/bin/sleep', '0.1']).spawn()).wait().then(({ verdict }) => console.log(verdict));
    (await new Command(['/bin/sleep', '0.1']).start()).wait().then(({ exitCode }) => console.log(exitCode));
    await (await new Command(['/bin/sleep', '1000']).hold()).abort();
    await librunner.probe();
  `);
  assert.equal(code, 0);
  assert.deepEqual(stdout.split('\n').slice(0, 2).sort(), ['0', 'finished']);
  assert(stdout.endsWith('exit\n'));
});
