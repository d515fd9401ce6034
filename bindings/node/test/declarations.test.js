// What the package takes from runner.h is what the C compiler and the library say.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import koffi from 'koffi';
import { PACKAGE, PROJECT, librunner, probed, scratch, script } from './setup.js';

const { constants, lib, structs } = await import('../lib/library.js');
const declarations = JSON.parse(readFileSync(join(PACKAGE, 'lib/declarations.json'), 'utf8'));

function compiles() {
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'no C compiler';
  }
}

/** What a C program prints, a name and a number a line. */
function asked(t, lines) {
  const directory = scratch(t);
  writeFileSync(join(directory, 'ask.c'), `#define _GNU_SOURCE
    #include "runner.h"
    #include <linux/mount.h>
    #include <sched.h>
    #include <stdio.h>
    #include <sys/mount.h>
    #include <sys/resource.h>
    #ifndef CLONE_NEWTIME
    #define CLONE_NEWTIME 0x80
    #endif
    #ifndef MS_NOSYMFOLLOW
    #define MS_NOSYMFOLLOW 256
    #endif
    #define ASK(name, number) printf("%s %llu\\n", name, (unsigned long long)(number))
    int main(void) { ${lines.join('\n')} }`);
  execFileSync('cc', ['-w', '-I', join(PROJECT, 'include'), 'ask.c', '-o', 'ask'], { cwd: directory });
  const text = execFileSync(join(directory, 'ask'), { encoding: 'utf8' });
  return Object.fromEntries(text.trim().split('\n').map((line) => line.split(' ')).map(([k, v]) => [k, Number(v)]));
}

test('structs are laid out as in C', { skip: compiles() }, (t) => {
  const questions = [];
  const own = {};
  for (const [name, fields] of Object.entries(declarations.structs)) {
    questions.push(`ASK("${name}", sizeof(${name}));`);
    own[name] = koffi.sizeof(structs[name]);
    for (const [, field] of fields) {
      questions.push(`ASK("${name}.${field}", offsetof(${name}, ${field}));`);
      own[`${name}.${field}`] = koffi.offsetof(structs[name], field);
    }
  }
  assert.deepEqual(asked(t, questions), own);
  assert(Object.keys(own).length > 40);
});

test('constants are what C says', { skip: compiles() }, (t) => {
  assert.deepEqual(asked(t, Object.keys(constants).map((name) => `ASK("${name}", ${name});`)), constants);
});

test('every setter of the library is an option', () => {
  const source = readdirSync(join(PACKAGE, 'lib')).filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(join(PACKAGE, 'lib', name), 'utf8')).join('');
  // Held starts take the callback's place; a thread of libuv cannot trace; a Command never changes.
  const left = ['set_sync_func', 'set_ptrace'];
  const setters = declarations.functions.map(({ name }) => name.replace('runner_', ''))
    .filter((name) => /^(set|add|keep|capture)/.test(name) && !left.includes(name));
  assert.deepEqual(setters.filter((name) => !new RegExp(`['.]${name}\\b`).test(source)), []);
  assert(setters.length > 50);
});

test('every figure of the library is in a result and a probe', async () => {
  const camel = (name) => name.replace(/_ns$/, '').replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  const fields = (name) => declarations.structs[name].slice(1).map(([, field]) => camel(field));
  const result = await librunner.run(['/bin/true']);
  assert.deepEqual(fields('runner_result_t').filter((field) => !(field in result)), []);
  assert.deepEqual(fields('runner_probe_t').filter((field) => !(field in probed)), []);
});

test('a probe tells what there is', () => {
  assert(probed.kernel[0] >= 5);
  assert.equal(typeof probed.clone3, 'boolean');
  assert.equal(typeof probed.landlock, 'number');
  assert.equal(typeof probed.blocker, 'string');
});

test('names are the library\'s own', () => {
  assert.equal(lib.missing_name(librunner.Missing.MEMORY), 'memory');
  for (const [name, number] of Object.entries(librunner.Stage)) {
    assert.equal(lib.stage_name(number), name.toLowerCase());
  }
});

test('the package is for the library of this checkout', () => {
  const cargo = readFileSync(join(PROJECT, 'Cargo.toml'), 'utf8').match(/^version = "(.*)"/m)[1];
  const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
  assert.deepEqual([librunner.version, version], [cargo, cargo]);
});

test('the lock file names no other registry', () => {
  const lock = readFileSync(join(PACKAGE, 'package-lock.json'), 'utf8');
  for (const [, host] of lock.matchAll(/"resolved": "https?:\/\/([^/]+)/g)) assert.equal(host, 'registry.npmjs.org');
  assert.match(lock, /"node_modules\/koffi"/);
});

test('the library is found by RUNNER_LIBRARY or by the loader', async (t) => {
  const directory = scratch(t);
  copyFileSync(process.env.RUNNER_LIBRARY, join(directory, 'own.so'));
  symlinkSync('own.so', join(directory, 'librunner.so.0'));
  const ask = 'console.log((await librunner.run(["/bin/true"])).verdict);';
  for (const env of [
    { RUNNER_LIBRARY: join(directory, 'own.so') },
    { RUNNER_LIBRARY: '', LD_LIBRARY_PATH: directory },
  ]) assert.equal((await script(ask, { env })).stdout, 'finished\n');
  const { stderr, code } = await script(ask, { env: { RUNNER_LIBRARY: join(directory, 'nothing.so') } });
  assert.equal(code, 1);
  assert.match(stderr, /nothing.so: install librunner, or name it in RUNNER_LIBRARY/);
});

test('a library of another minor version is refused, of another patch not', { skip: compiles() }, async (t) => {
  const directory = scratch(t);
  const load = async (major, minor, patch) => {
    const file = join(directory, `${minor}.so`);
    const number = (major << 16) | (minor << 8) | patch;
    writeFileSync(join(directory, 'v.c'), `unsigned runner_version(void) { return ${number}; }`);
    execFileSync('cc', ['-shared', '-fPIC', 'v.c', '-o', file], { cwd: directory });
    return (await script('', { env: { RUNNER_LIBRARY: file } })).stderr;
  };
  const [major, minor] = librunner.version.split('.').map(Number);
  assert.match(await load(major, minor + 1, 0), /is librunner \d+\.\d+\.0, and this package is for \d+\.\d+:/);
  // It gets further: to the functions that this one does not have.
  assert.match(await load(major, minor, 99), /runner_new/);
});
