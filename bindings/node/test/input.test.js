// Bad input is an ordinary error before anything starts.
import assert from 'node:assert/strict';
import { PassThrough, Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { librunner } from './setup.js';

const { Bind, Command, Namespace, run } = librunner;

const command = (options) => new Command(['/bin/true'], options);

/** [what, error, its message]: each is thrown by new Command() with the option's name in front. */
const WRONG = {
  'an option that does not exist': [{ wallTimeout: 3 }, TypeError, /wallTimeout/],
  'a string as a number': [{ wallLimit: '3' }, TypeError, /^wallLimit: a number is wanted, not string/],
  NaN: [{ wallLimit: NaN }, RangeError, /^wallLimit: NaN/],
  'minus infinity': [{ cpuLimit: -Infinity }, RangeError, /^cpuLimit: -Infinity/],
  'a negative BigInt': [{ memoryLimit: -1n }, RangeError, /^memoryLimit: -1/],
  'a time that is too long': [{ wallLimit: 2n ** 64n }, RangeError, /^wallLimit/],
  'a time that is too long for a float': [{ wallLimit: 1e300 }, RangeError, /^wallLimit/],
  'a number beyond 64 bits': [{ memoryLimit: 2n ** 64n }, RangeError, /^memoryLimit: 18446744073709551616/],
  'a number that a float does not hold': [{ memoryLimit: 2 ** 60 }, RangeError, /^memoryLimit: .* BigInt/],
  'a fraction of a byte': [{ memoryLimit: 1.5 }, RangeError, /^memoryLimit: 1.5 is no whole number/],
  'a number beyond 32 bits': [{ umask: 2 ** 32 }, RangeError, /^umask/],
  'a symbol': [{ nice: Symbol('x') }, TypeError, /^nice: a number is wanted, not symbol/],
  'an object with valueOf': [{ nice: { valueOf: () => 3 } }, TypeError, /^nice/],
  'a number as a boolean': [{ noNewPrivs: 1 }, TypeError, /^noNewPrivs: true or false is wanted, not number/],
  'a number as a path': [{ cwd: 3 }, TypeError, /^cwd: a string or bytes is wanted, not number/],
  'an empty path': [{ cwd: '' }, RangeError, /^cwd/],
  'a path that is too long': [{ cwd: '/x'.repeat(3000) }, RangeError, /^cwd/],
  'a NUL in bytes': [{ cwd: Buffer.from('/\0') }, RangeError, /^cwd: a NUL/],
  'an array as an environment': [{ env: ['A=1'] }, TypeError, /^env: an object is wanted, not array/],
  'a number in an environment': [{ env: { A: 1 } }, TypeError, /^env: /],
  'a name with a =': [{ env: { 'A=B': '1' } }, RangeError, /^env: /],
  'an empty name': [{ env: { '': '1' } }, RangeError, /^env: /],
  'unknown namespaces': [{ unshare: 1 }, RangeError, /^unshare/],
  'a map that is no array': [{ uidMappings: { 0: [0, 0, 1] } }, TypeError, /^uidMappings: an array/],
  'a line of two': [{ uidMappings: [[0, 0]] }, TypeError, /^uidMappings: .*count/],
  'a count of 0': [{ gidMappings: [[0, 0, 0]] }, RangeError, /^gidMappings/],
  'an id that is too large': [{ credential: { uid: 2 ** 32, gid: 0 } }, RangeError, /^credential/],
  'a credential without gid': [{ credential: { uid: 1 } }, TypeError, /^credential: a number is wanted/],
  'a credential with more': [{ credential: { uid: 1, gid: 1, group: [] } }, TypeError, /^credential: .*group/],
  'groups that are no numbers': [{ credential: { uid: 1, gid: 1, groups: ['wheel'] } }, TypeError, /^credential/],
  'an unknown resource': [{ rlimits: { files: 3 } }, TypeError, /^rlimits: there is no files/],
  'a negative limit': [{ rlimits: { core: -1 } }, RangeError, /^rlimits: core: -1/],
  'a signal that is none': [{ deathSignal: 'SIGNONE' }, RangeError, /^deathSignal: there is no SIGNONE/],
  'a signal beyond 64': [{ deathSignal: 65 }, RangeError, /^deathSignal/],
  'no CPU at all': [{ cpuAffinity: [] }, RangeError, /^cpuAffinity/],
  'an empty filter': [{ seccomp: [] }, RangeError, /^seccomp/],
  'half an instruction': [{ seccomp: Buffer.alloc(12) }, RangeError, /^seccomp: .*8 bytes/],
  'a jump that is too far': [{ seccomp: [[6, 256, 0, 0]] }, RangeError, /^seccomp: 256/],
  'an instruction of three': [{ seccomp: [[6, 0, 0]] }, TypeError, /^seccomp/],
  'a filter that is too long': [{ seccomp: Buffer.alloc(8 * 70000) }, RangeError, /^seccomp/],
  'a root that is a path': [{ root: '/x' }, TypeError, /^root: an array is wanted/],
  'a piece of no kind': [{ root: [{ dev: '/dev' }, { target: 'x' }] }, TypeError, /^root: \[1\]: one of bind, /],
  'a piece of two kinds': [{ root: [{ bind: '/bin', dir: 'x' }] }, TypeError, /^root: \[0\]/],
  'a piece with more': [{ root: [{ bind: '/bin', flag: Bind.RO }] }, TypeError, /^root: \[0\]: there is no flag/],
  'a piece named toString': [{ root: [{ toString: 'x' }] }, TypeError, /^root: \[0\]/],
  'a target that leads out': [{ root: [{ bind: '/bin', target: '../x' }] }, RangeError, /^root: \[0\]/],
  'a link without an end': [{ root: [{ symlink: 'x' }] }, TypeError, /^root: \[0\]/],
  'contents that are none': [{ root: [{ file: 'x', contents: 3 }] }, TypeError, /^root: \[0\]/],
  'a mount without a type': [{ root: [{ mount: 'x' }] }, RangeError, /^root: \[0\]/],
  'text as stdin': [{ stdin: 'some text' }, TypeError, /^stdin: .* goes into input/],
  'bytes as stdin': [{ stdin: Buffer.from('x') }, TypeError, /^stdin/],
  'stdin and input': [{ stdin: 'ignore', input: 'x' }, TypeError, /^input/],
  'a number as input': [{ input: 3 }, TypeError, /^input: a string or bytes is wanted/],
  'a Writable as stdin': [{ stdin: new Writable() }, TypeError, /^stdin: a Readable is wanted/],
  'a Readable as stdout': [{ stdout: new Readable() }, TypeError, /^stdout: a Writable is wanted/],
  'a negative descriptor': [{ stdout: -1 }, RangeError, /^stdout: -1 is no file descriptor/],
  'a fraction of a descriptor': [{ stdout: 1.5 }, RangeError, /^stdout/],
  'a function as stdout': [{ stdout: () => {} }, TypeError, /^stdout/],
  'a capture of two kinds': [{ stdout: { capture: 1, captureHead: 1 } }, TypeError, /^stdout/],
  'a capture of less than nothing': [{ stdout: { capture: -1 } }, RangeError, /^stdout/],
  'a file given twice': [{ stdout: 'ignore', files: { 1: 'ignore' } }, TypeError, /^files: 1: /],
  'a file that has no number': [{ files: { stdout: 'ignore' } }, RangeError, /^files: /],
  'a file beyond all': [{ files: { 1048576: 'ignore' } }, RangeError, /^files: 1048576/],
  'a program that is a path': [{ execFile: '/bin/true' }, TypeError, /^execFile: a file descriptor or a FileHandle/],
  'options that are none': ['options', TypeError, /an object is wanted, not string/],
};

for (const [what, [options, type, message]] of Object.entries(WRONG)) {
  test(what, () => assert.throws(() => command(options), (error) => {
    assert(error instanceof type, error);
    assert.match(error.message, message);
    return true;
  }));
}

const ARGS = {
  'a string': ['/bin/true', TypeError], 'an empty list': [[], RangeError], numbers: [[1, 2], TypeError],
  'null in a list': [['/bin/true', null], TypeError], null: [null, TypeError], 'a hole': [[, 'x'], TypeError],
};

for (const [what, [args, type]] of Object.entries(ARGS)) {
  test(`${what} as arguments`, async () => {
    assert.throws(() => new Command(args), type);
    await assert.rejects(run(args), type);
  });
}

test('bytes of any kind are arguments', async () => {
  const args = [Buffer.from('/usr/bin/printf'), '%s', new Uint16Array([0x6161])];
  assert.equal((await run(args)).stdout.toString(), 'aa');
  const raw = Buffer.from([0xff, 0xfe]);
  assert(raw.equals((await run(['/usr/bin/printf', '%s', raw])).stdout));
});

test('lists that are too long for a start are its error', async () => {
  const args = Array.from({ length: 300_000 }, () => 'x'.repeat(20));
  await assert.rejects(run(['/bin/true', ...args]), { stage: 'exec', code: 'E2BIG' });
});

test('signals that are none', async () => {
  for (const signal of [3, {}, 'abort', null]) await assert.rejects(command().run({ signal }), TypeError);
  await assert.rejects(command().spawn({ sginal: AbortSignal.abort() }), /sginal/);
  await assert.rejects(run(['/bin/true'], 3), TypeError);
  await assert.rejects(run(['/bin/true'], null), TypeError);
});

test('files that are not captured have no output', async () => {
  const process = await new Command(['/bin/sleep', '0.2'], { stderr: 'ignore' }).spawn();
  await assert.rejects(process.output(2), RangeError);
  await assert.rejects(process.output(1000), RangeError);
  await assert.rejects(process.output('1'), TypeError);
  await assert.rejects(process.output(), TypeError);
  await process.wait();
});

test('what an option is, is asked once', () => {
  let asked = 0;
  command({ get nice() { asked++; return 3; } });
  assert.equal(asked, 1);
});

test('a stream that is an option of two runs at once ends one of them only', async () => {
  const shared = command({ stdout: new PassThrough().resume() });
  const ends = await Promise.allSettled([shared.run(), shared.run()]);
  assert(ends.some(({ status }) => status === 'fulfilled'));
});

test('constants cannot be changed', () => {
  assert.throws(() => { Namespace.USER = 0; }, TypeError);
});
