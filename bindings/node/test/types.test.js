// index.d.ts says what there is, and tsc agrees with how it is used.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { PACKAGE, librunner, probed, scratch } from './setup.js';

const { lib } = await import('../lib/library.js');
const { OPTIONS } = await import('../lib/options.js');
const { Command, Stage, run } = librunner;

const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript')), 'tsc.js');
const OPTIONS_OF_TSC = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'node16', '--types', 'node'];

/** What tsc has to say of the files; nothing is good. */
function check(...files) {
  return spawnSync(process.execPath, [tsc, ...OPTIONS_OF_TSC, ...files], { encoding: 'utf8' }).stdout;
}

/** A directory in which the package is installed. */
function installed(t) {
  const directory = scratch(t);
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(PACKAGE, join(directory, 'node_modules/librunner'));
  symlinkSync(join(PACKAGE, 'node_modules/@types'), join(directory, 'node_modules/@types'));
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  return directory;
}

function names(name) {
  const all = [];
  for (let number = 0; lib[name](number) !== 'unknown'; number++) all.push(lib[name](number));
  return all;
}

const keys = (object) => {
  const own = [];
  for (let at = object; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    own.push(...Object.getOwnPropertyNames(at));
  }
  return own.filter((key) => key !== 'constructor');
};

test('the types are those of what there is', async (t) => {
  const directory = installed(t);
  const result = await run(['/bin/true']);
  const process = await new Command(['/bin/true']).spawn();
  const child = await new Command(['/bin/true']).start();
  const held = await new Command(['/bin/true']).hold();
  const error = await run(['/nonexistent']).catch((caught) => caught);
  const objects = {
    Result: keys(result), Usage: keys(await process.usage()), Probe: keys(probed), Process: keys(process),
    Child: keys(child), Held: keys(held), ExitStatus: keys(await child.wait()), Command: keys(new Command()),
    Options: [...Object.keys(OPTIONS), 'stdin', 'stdout', 'stderr', 'files', 'execFile', 'cgroupFd'],
  };
  const unions = {
    Verdict: names('verdict_name'), Evidence: names('evidence_name'), Source: names('source_name'),
    StageName: names('stage_name'),
  };
  const constants = Object.entries(librunner).filter(([, value]) => typeof value === 'object');
  await Promise.all([process.wait(), held.abort()]);
  // Exactly the same names, since neither too many nor too few make a Record.
  const record = (type, members) => `{ const all: Record<${type}, 0> = ${
    JSON.stringify(Object.fromEntries(members.map((member) => [member, 0])))}; }`;
  writeFileSync(join(directory, 'same.ts'), [
    'import * as librunner from "librunner";',
    'type Names<T> = Exclude<keyof T, symbol>;',
    `const all: Record<keyof typeof librunner, 0> = ${
      JSON.stringify(Object.fromEntries(Object.keys(librunner).map((name) => [name, 0])))};`,
    ...Object.entries(objects).map(([name, members]) => record(`Names<librunner.${name}>`, members)),
    ...Object.entries(unions).map(([name, members]) => record(`librunner.${name}`, members)),
    ...constants.map(([name, value]) => record(`keyof typeof librunner.${name}`, Object.keys(value))),
    record('Exclude<keyof librunner.RunnerError, keyof Error>', Object.keys(error)),
  ].join('\n'));
  assert.equal(check(join(directory, 'same.ts')), '');
  assert.equal(Object.keys(Stage).length, unions.StageName.length);
});

test('a program in TypeScript', (t) => {
  const directory = installed(t);
  writeFileSync(join(directory, 'use.ts'), `import {
  Bind, Command, Missing, Namespace, Proc, RunnerError, Stage, probe, run,
  type Options, type Piece, type Process, type Result, type Verdict,
} from 'librunner';
import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';

const root: Piece[] = [
  { bind: '/usr' }, { bind: '/lib64', flags: Bind.RO | Bind.REC | Bind.OPTIONAL }, { tmpfs: '/tmp', size: 1n << 20n },
  { proc: '/proc', flags: Proc.MASK }, { dev: '/dev' }, { symlink: '/a', to: '/b' }, { file: '/c', contents: 'x' },
];
const options: Options = {
  root, pivotRoot: '/tmp', unshare: Namespace.USER | Namespace.MOUNT, wallLimit: 0.5, memoryLimit: 2n ** 30n,
  rlimits: { nofile: [64, Infinity], core: 0 }, stdin: Readable.from(['x']), stdout: createWriteStream('/dev/null'),
  stderr: { captureHead: 1000 }, files: { 3: 'inherit', 4: await open('/dev/null') }, deathSignal: 'SIGKILL',
  uidMappings: [[0, 1000, 1]], seccomp: [[6, 0, 0, 0x7fff0000]], env: { A: 'b', C: undefined },
};
const result: Result = await run(['/bin/true'], { ...options, signal: AbortSignal.timeout(1000) });
const verdict: Verdict = result.verdict;
const text: string | undefined = result.stdout?.toString();
const code: number | null = result.exitCode;
const process_: Process = await new Command(['/bin/true'], options).spawn({ signal: new AbortController().signal });
const sofar: Buffer = await process_.output(1);
const status: { exitCode: number | null } = await (await new Command(['/bin/true']).start()).wait();
const missing: boolean = ((await probe()).runsMiss & Missing.MEMORY) !== 0;
try {
  await (await (await new Command(['/bin/true']).hold()).resume()).wait();
} catch (error) {
  if (error instanceof RunnerError && error.stageNumber === Stage.EXEC) console.log(error.stage, error.index);
}
console.log(verdict, text, code, sofar, status, missing);
`);

  // What is wrong is wrong in TypeScript, too.
  const wrong = [
    "new Command('/bin/true')", "new Command(['/bin/true'], { walLimit: 3 })", "run(['x'], { wallLimit: '3' })",
    "run(['x'], { stdin: { capture: 3 } })", "run(['x'], { root: [{ binf: '/usr' }] })",
    "run(['x'], { rlimits: { files: 3 } })",
    'new RunnerError()', 'run(["x"]).then((result) => result.verdict === "fine")', 'Namespace.USER = 3',
  ];
  writeFileSync(join(directory, 'wrong.ts'), `import { Command, Namespace, RunnerError, run } from 'librunner';\n${
    wrong.map((line) => `// @ts-expect-error\n${line};`).join('\n')}\n`);
  assert.equal(check(join(directory, 'use.ts'), join(directory, 'wrong.ts')), '');
});
