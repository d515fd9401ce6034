// The program's files: words, descriptors, FileHandles, streams, captures.
import assert from 'node:assert/strict';
import { closeSync, createReadStream, createWriteStream, openSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Duplex, PassThrough, Readable, Writable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { test } from 'node:test';
import { isAlive, librunner, openFds, scratch, script, until } from './setup.js';

const { Command, run } = librunner;
const shell = (code, options) => run(['/bin/sh', '-c', code], { wallLimit: 30_000, ...options });

test('a Readable is read to its end', async () => {
  const stdin = Readable.from(['one ', Buffer.from('two '), new Uint8Array([51])]);
  const { stdout } = await run(['/bin/cat'], { stdin });
  assert.equal(stdout.toString(), 'one two 3');
});

test('a large file as a stream, in and out', async (t) => {
  const [source, target] = [join(scratch(t), 'in'), join(scratch(t), 'out')];
  const data = Buffer.alloc(3_000_000, 'some bytes ');
  writeFileSync(source, data);
  const result = await run(['/bin/cat'], { stdin: createReadStream(source), stdout: createWriteStream(target) });
  assert(result.ok);
  assert(data.equals(readFileSync(target)));
  assert.deepEqual(Object.keys(result.output), ['2']);
});

test('a Writable that is slow holds the program up, and nothing is lost', async () => {
  let length = 0;
  const slow = new Writable({
    highWaterMark: 1000,
    write(chunk, _, done) {
      length += chunk.length;
      setTimeout(done, 1);
    },
  });
  const result = await shell('head -c 2000000 /dev/zero', { stdout: slow });
  assert(result.ok);
  assert.equal(length, 2_000_000);
  assert(slow.writableFinished);
});

test('stdout and stderr into one Writable, which is ended once', async () => {
  const both = new PassThrough();
  const ended = shell('echo out; echo err >&2', { stdout: both, stderr: both });
  const [all, result] = await Promise.all([text(both), ended]);
  assert(result.ok);
  assert.deepEqual(all.split('\n').sort(), ['', 'err', 'out']);
});

test('a Writable as a third file', async () => {
  const third = new PassThrough();
  const [all] = await Promise.all([buffer(third), shell('echo five >&5', { files: { 5: third } })]);
  assert.equal(all.toString(), 'five\n');
});

test('two programs talk through streams', async () => {
  const [there, back] = [new PassThrough(), new PassThrough()];
  const [one, two] = await Promise.all([
    shell('echo 20; read a; echo "got $a" >&2', { stdin: back, stdout: there }),
    shell('read a; echo $((a + 1))', { stdin: there, stdout: back }),
  ]);
  assert(one.ok && two.ok);
  assert.equal(one.stderr.toString(), 'got 21\n');
});

test('a conversation with a program', async () => {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const process = await new Command(['/bin/cat'], { stdin, stdout }).spawn();
  for (const line of ['first', 'second']) {
    stdin.write(`${line}\n`);
    const [answer] = await new Promise((resolve) => stdout.once('data', (...data) => resolve(data)));
    assert.equal(answer.toString(), `${line}\n`);
  }
  stdin.end();
  stdout.resume();
  assert((await process.wait()).ok);
});

test('a program that does not want its input does not hang or fail, and the Readable stays open', async () => {
  const endless = new Readable({ read() { this.push(Buffer.alloc(65536)); } });
  assert((await run(['/bin/true'], { stdin: endless })).ok);
  assert.equal(endless.destroyed, false);
  assert.equal(endless.isPaused(), true);
  assert.equal(endless.listenerCount('data'), 0);
});

test('a Readable that never says anything does not keep a run', async () => {
  const silent = new Readable({ read() {} });
  assert((await run(['/bin/true'], { stdin: silent })).ok);
});

test('a Readable that has ended is an end of file', async () => {
  const over = Readable.from(['x']);
  await text(over);
  assert.equal((await run(['/usr/bin/wc', '-c'], { stdin: over })).stdout.toString(), '0\n');
});

test('a Readable that fails kills the run, which is rejected with its error', async () => {
  const failing = new Readable({ read() { setTimeout(() => this.destroy(new Error('no more')), 50); } });
  const process = await new Command(['/bin/cat'], { stdin: failing }).spawn();
  await assert.rejects(process.wait(), /no more/);
  assert(!isAlive(process.pid));
});

test('a Readable of things that are no bytes is an error', async () => {
  await assert.rejects(run(['/bin/cat'], { stdin: Readable.from([{ a: 1 }]) }), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('a Writable that fails kills the run, which is rejected with its error', async () => {
  const full = new Writable({ write(_, __, done) { done(new Error('disk full')); } });
  await assert.rejects(run(['/bin/sh', '-c', 'echo x; sleep 1000'], { stdout: full }), /disk full/);
});

test('a Writable that has ended starts nothing; one that ends early kills the run', { timeout: 20_000 }, async () => {
  const command = (stdout) => new Command(['/bin/sh', '-c', 'echo x; sleep 0.1; echo y; sleep 1000'], { stdout });
  for (const [end, message] of [['destroy', /premature/i], ['end', /ended before/]]) {
    const gone = new PassThrough().resume();
    const process = await command(gone).spawn();
    gone[end]();
    await assert.rejects(process.wait(), message);
    assert(!isAlive(process.pid));
    await assert.rejects(command(gone).run(), /Writable for fd 1 has ended/);
  }
});

test('a launch that fails leaves the streams as they are, and no fd', async () => {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  await run(['/bin/true']);
  const before = openFds();
  await assert.rejects(run(['/nonexistent'], { stdin, stdout, stderr: 'ignore' }), { code: 'ENOENT' });
  assert.equal(openFds(), before);
  assert.equal(stdin.destroyed || stdout.writableEnded, false);
});

test('process.stdout is written to and not ended', async () => {
  const { stdout, stderr, code } = await script(`
    const options = { stdout: process.stdout, stderr: process.stdout };
    await librunner.run(['/bin/sh', '-c', 'echo one; echo two >&2'], options);
    await librunner.run(['/bin/echo', 'three'], options);
    console.log('four', process.stdout.listenerCount('error'));
  `);
  assert.equal(code, 0, stderr);
  assert.deepEqual(stdout.split('\n').sort(), ['', 'four 0', 'one', 'three', 'two']);
});

test('inherit is the descriptor of this process', async () => {
  const { stdout, stderr } = await script(`
    const options = { stdout: 'inherit', stderr: 'inherit' };
    const result = await librunner.run(['/bin/sh', '-c', 'echo out; echo err >&2'], options);
    if (result.stdout !== undefined) console.log('captured');
  `);
  assert.deepEqual([stdout, stderr], ['out\n', 'err\n']);
});

test('descriptors and FileHandles are borrowed', async (t) => {
  const path = join(scratch(t), 'file');
  const fd = openSync(path, 'w');
  const handle = await open('/etc/passwd');
  t.after(() => { closeSync(fd); return handle.close(); });
  const command = new Command(['/bin/cat'], { stdin: handle, stdout: fd });
  assert((await command.run()).ok);
  assert(readFileSync(path).equals(readFileSync('/etc/passwd')));
  const child = await command.start();
  assert.equal((await child.wait()).exitCode, 0);
  assert((await handle.stat()).isFile());
});

test('a FileHandle that was closed is an error, not another file', async () => {
  const handle = await open('/etc/passwd');
  const commands = [new Command(['/bin/cat'], { stdin: handle }), new Command(['/bin/cat'], { execFile: handle })];
  await handle.close();
  for (const command of commands) await assert.rejects(command.run(), /closed FileHandle/);
  assert.throws(() => new Command(['/bin/cat'], { stdin: handle }), /stdin: a closed FileHandle/);
});

test('a descriptor that is not open is an error of the launch', async () => {
  await assert.rejects(run(['/bin/true'], { stdin: 900 }), { stage: 'dup', index: 0, code: 'EBADF' });
});

test('ignore is /dev/null, close is nothing, the rest is closed', async () => {
  const { stdout } = await shell('for fd in 0 1 2 3 4 5 6; do readlink /proc/$$/fd/$fd || echo closed; done',
    { stdin: 'ignore', stderr: 'close', files: { 5: 'ignore' } });
  const [stdin, out, ...others] = stdout.toString().trim().split('\n');
  assert.equal(stdin, '/dev/null');
  assert.match(out, /^pipe:/);
  assert.deepEqual(others, ['closed', 'closed', 'closed', '/dev/null', 'closed']);
});

test('by default there is no input, and start() has no output', async () => {
  const child = await new Command(['/bin/sh', '-c', `
    for fd in 0 1 2; do [ "$(readlink /proc/$$/fd/$fd)" = /dev/null ] || exit 1; done`]).start();
  assert.equal((await child.wait()).exitCode, 0);
});

test('captures: more ends the run, a head does not', async () => {
  const options = { stdout: { captureHead: 3 }, stderr: { capture: 100n }, files: { 3: { capture: Infinity } } };
  const result = await shell('echo 12345; echo err >&2; echo three >&3', options);
  assert.equal(result.verdict, 'finished');
  assert.deepEqual([result.outputCut, result.outputFd], [true, 1]);
  assert.deepEqual(Object.values(result.output).map(String), ['123', 'err\n', 'three\n']);
});

test('start and hold take no streams and no captures', async () => {
  for (const how of ['start', 'hold']) {
    await assert.rejects(new Command(['/bin/true'], { stdin: new PassThrough() })[how](), TypeError);
    await assert.rejects(new Command(['/bin/true'], { stdout: { capture: 1 } })[how](), { stage: 'options' });
    await assert.rejects(new Command(['/bin/true'], { input: '' })[how](), { stage: 'options' });
  }
});

test('files that cannot be opened are an error of the launch, and nothing is left open', async () => {
  const { stdout, stderr } = await script(`
    import { closeSync, openSync, readdirSync } from 'node:fs';
    import { PassThrough } from 'node:stream';
    const streams = () => ({ stdin: new PassThrough(), stdout: new PassThrough() });
    const command = () => new librunner.Command(['/bin/true'], streams());
    await command().run();
    const opened = [];
    try { for (;;) opened.push(openSync('/dev/null')); } catch {}
    const seen = [];
    for (let free = 0; seen.at(-1) !== 'finished'; free++) {
      seen.push(await command().run().then(({ verdict }) => verdict, ({ code }) => code));
      closeSync(opened.pop());
    }
    for (const fd of opened) closeSync(fd);
    console.log([...new Set(seen)].join(), seen.length > 5, readdirSync('/proc/self/fd').length < 40);
  `, { files: 60 });
  assert.equal(stderr, '');
  assert.equal(stdout, 'EMFILE,finished true true\n');
});

test('a hundred runs with streams at once leave no fd', async () => {
  await run(['/bin/true']);
  const before = openFds();
  const results = await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const out = new PassThrough();
    const stdin = Readable.from([`run ${i}`]);
    const [all] = await Promise.all([text(out), run(['/bin/cat'], { stdin, stdout: out })]);
    return all;
  }));
  assert.deepEqual(results, results.map((_, i) => `run ${i}`));
  await until('they are closed', () => openFds() === before);
});

test('a Duplex is read from as stdin and written to as stdout', async () => {
  const socket = Duplex.from({ readable: Readable.from(['in']), writable: new PassThrough().resume() });
  assert.equal((await run(['/bin/cat'], { stdin: socket })).stdout.toString(), 'in');
});
