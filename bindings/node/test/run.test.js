// What run() tells, what a Process can do, what goes on with many at once.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ISOLATED, gc, isAlive, librunner, openFds, probed, until } from './setup.js';

const { Command, Namespace, RunnerError, Stage, run } = librunner;
const MOUNTS = { unshare: Namespace.USER | Namespace.MOUNT };
const shell = (text, options) => new Command(['/bin/sh', '-c', text], options);

test('a result has every figure, in milliseconds and bytes', async () => {
  const result = await shell('echo hi; sleep 0.1; while :; do :; done', { cpuLimit: 50, wallLimit: 5000 }).run();
  assert.equal(result.verdict, 'time_limit');
  assert(result.wall >= 150 && result.wall < 5000, result.wall);
  assert(result.cpu >= 50 && result.cpu < 1000, result.cpu);
  assert(Math.abs(result.user + result.system - result.cpu) < 1e-3);
  assert(result.setup > 0 && result.setup < 5000, result.setup);
  assert(result.memoryPeak > 50_000, result.memoryPeak);
  assert(result.processesPeak >= 1);
  assert.equal(result.outputBytes, 3);
  assert.equal(result.outputFd, null);
  assert.equal(result.ok, false);
  assert.equal(result.exitCode, null);
  assert.equal(result.signal, 'SIGKILL');
  assert.equal(result.stdout.toString(), 'hi\n');
  assert.equal(result.missing & ~probed.runsMiss, result.missing & librunner.Missing.TREE);
  assert.equal(result.missingNames.length === 0, result.missing === 0);
  for (const source of ['cpuSource', 'memorySource', 'processesSource']) assert.notEqual(result[source], 'unknown');
});

test('a fraction of a millisecond is one', async () => {
  const result = await run(['/bin/sleep', '10'], { wallLimit: 0.5 });
  assert.equal(result.verdict, 'wall_limit');
  assert(result.wall < 5000);
});

test('BigInt and Infinity are limits', async () => {
  const result = await run(['/bin/true'], {
    wallLimit: 5000n, cpuLimit: Infinity, memoryLimit: 1n << 30n, outputLimit: Infinity, cpuQuota: Infinity,
    processLimit: Infinity, rlimits: { core: [0n, Infinity] },
  });
  assert(result.ok);
});

test('an option that is null or undefined is none', async () => {
  const result = await run(['/bin/true'], { wallLimit: null, cwd: undefined, stdout: null, root: null, input: null });
  assert(result.ok);
});

test('a launch that fails is a RunnerError', async () => {
  const error = await run(['/bin/true'], { cwd: '/nowhere' }).catch((caught) => caught);
  assert(error instanceof RunnerError && error instanceof Error);
  assert.equal(error.name, 'RunnerError');
  assert.equal(error.stage, 'chdir');
  assert.equal(error.stageNumber, Stage.CHDIR);
  assert.equal(error.index, -1);
  assert.equal(error.errno, 2);
  assert.equal(error.code, 'ENOENT');
  assert.match(error.message, /"\/nowhere": No such file/);
});

test('a process tells its pid, its figures, and what it has written so far', async () => {
  const process = await shell('echo begun; sleep 0.3; echo done; sleep 0.1').spawn();
  assert(isAlive(process.pid));
  await until('it writes', async () => (await process.output(1)).length);
  assert.equal((await process.output(1)).toString(), 'begun\n');
  const usage = await process.usage();
  assert(usage.wall > 0 && usage.memoryPeak > 0, usage.wall);
  assert.equal(usage.verdict, undefined);
  const result = await process.wait();
  assert.equal(result, await process.wait());
  assert.equal((await process.output(1)).toString(), 'begun\ndone\n');
  assert.equal((await process.usage()).wall, result.wall);
  process.kill();
  assert.equal((await process.wait()).verdict, 'finished');
});

test('limits hold for a process that nobody waits for', async () => {
  const process = await new Command(['/bin/sleep', '1000'], { wallLimit: 50 }).spawn();
  await until('it is ended', () => !isAlive(process.pid));
  assert.equal((await process.wait()).verdict, 'wall_limit');
});

test('output of many MiB arrives whole', async () => {
  const result = await run(['/bin/sh', '-c', 'head -c 15000000 /dev/zero | tr "\\0" x']);
  assert.equal(result.stdout.length, 15_000_000);
  assert(result.stdout.every((byte) => byte === 0x78));
});

test('by default 16 MiB are captured, and outputLimit in their place', async () => {
  const flood = ['/bin/cat', '/dev/zero'];
  const result = await run(flood, { wallLimit: 20_000 });
  assert.equal(result.verdict, 'output_limit');
  assert.equal(result.stdout.length, librunner.DEFAULT_CAPTURE);
  assert.equal((await run(flood, { outputLimit: 1000 })).stdout.length, 1000);
});

test('nothing of a run is left: no process, no fd, no cgroup', async () => {
  const groups = () => {
    const line = readFileSync('/proc/self/cgroup', 'utf8').match(/^\d+:(?:pids|):.*$/m)[0];
    const base = line.includes(':pids:') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';
    const own = line.split(':')[2];
    try {
      return readdirSync(base + own).filter((name) => name.startsWith(`runner-${process.pid}-`));
    } catch {
      return [];
    }
  };
  await run(['/bin/true']);
  const before = openFds();
  const command = shell('sleep 1000 & sleep 1000', { processLimit: 10 });
  const processes = await Promise.all(Array.from({ length: 10 }, () => command.spawn()));
  processes.forEach((process) => process.kill());
  await Promise.all(processes.map((process) => process.wait()));
  assert(processes.every(({ pid }) => !isAlive(pid)));
  assert.deepEqual(groups(), []);
  assert.equal(openFds(), before);
});

test('a command can be run by many at once, and is not changed by it', async () => {
  const command = shell('echo $0', { wallLimit: 30_000, ...ISOLATED });
  const results = await Promise.all(Array.from({ length: 50 }, () => command.run()));
  assert(results.every(({ ok, stdout }) => ok && stdout.toString() === '/bin/sh\n'));
});

test('a command is a copy of what it was given', async () => {
  const args = ['/bin/cat'];
  const options = { input: Buffer.from('before'), env: { A: '1' } };
  const command = new Command(args, options);
  args.push('/etc/passwd');
  options.input.fill('x');
  options.env.A = '2';
  assert.equal((await command.run()).stdout.toString(), 'before');
});

test('a started program is told to end, once', async () => {
  const child = await new Command(['/bin/sleep', '1000']).start();
  assert(isAlive(child.pid));
  assert.equal(child.kill(), true);
  assert.deepEqual(await child.wait(), { exitCode: null, signal: 'SIGTERM' });
  assert.equal(child.kill(), false);
  assert(!isAlive(child.pid));
});

test('a program stops before its filter, and goes on', async () => {
  const child = await new Command(['/bin/true'], { stopBeforeSeccomp: true }).start();
  await until('it stops', () => /^State:\s+T/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')));
  child.kill('SIGCONT');
  assert.deepEqual(await child.wait(), { exitCode: 0, signal: null });
});

test('a held start is resumed or aborted, once', async () => {
  const command = new Command(['/bin/sh', '-c', 'exit 4']);
  const held = await command.hold();
  const stays = readFileSync(`/proc/${held.pid}/cmdline`, 'utf8');
  assert.notEqual(stays.split('\0')[0], '/bin/sh');
  const child = await held.resume();
  assert.equal(child.pid, held.pid);
  await assert.rejects(held.resume(), /resumed or aborted/);
  await held.abort();
  assert.equal((await child.wait()).exitCode, 4);

  const aborted = await command.hold();
  await Promise.all([aborted.abort(), aborted.abort()]);
  assert(!isAlive(aborted.pid));
  await assert.rejects(aborted.resume(), /resumed or aborted/);
});

test('a resumed program that cannot be executed is a RunnerError', async () => {
  const held = await new Command(['/nonexistent']).hold();
  const before = openFds();
  await assert.rejects(held.resume(), { name: 'RunnerError', stage: 'exec', code: 'ENOENT' });
  assert.equal(openFds() <= before, true);
});

test('the signal of a host that dies reaches the program', async () => {
  const { script } = await import('./setup.js');
  const { stdout } = await script(`
    const process_ = await new librunner.Command(['/bin/sleep', '1000'], { deathSignal: 'SIGKILL' }).spawn();
    await new Promise((resolve) => setTimeout(resolve, 200));
    console.log('pid', process_.pid);
  `, { kill: 'pid' });
  const pid = Number(stdout.match(/pid (\d+)/)[1]);
  await until('it is dead', () => !isAlive(pid));
});

test('a file that is open only here is not closed in the middle of a start', async () => {
  const starts = [];
  for (let i = 0; i < 20; i++) {
    starts.push(run(['any', '-c', 'cat'], { execFile: await open('/bin/sh'), stdin: await open('/etc/passwd') }));
    gc();
  }
  // Node warns of each FileHandle that is closed as garbage.
  process.removeAllListeners('warning');
  const expected = readFileSync('/etc/passwd', 'utf8');
  for (const { stdout } of await Promise.all(starts)) assert.equal(stdout.toString(), expected);
  await sleep(0);
});

test('explain tells what its options are', () => {
  const text = new Command(['/bin/true', 'one'], { nice: 5, files: { 7: 1 } }).explain();
  assert.match(text, /setpriority\(PRIO_PROCESS, 0, 5\)/);
  assert.match(text, /dup3\(1, 7, 0\)/);
  assert.match(text, /execve\("\/bin\/true", \["\/bin\/true", "one"\]/);
  const root = Array.from({ length: 200 }, (_, i) => ({ dir: `/directory${i}` }));
  const long = new Command(['/bin/true'], { ...MOUNTS, pivotRoot: '/tmp', root }).explain();
  assert(long.length > 5000 && long.includes('"directory199"') && long.includes('execve'), long);
  assert.throws(() => new Command(['/bin/true'], { hostname: 'box' }).explain(), /CLONE_NEWUTS/);
});
