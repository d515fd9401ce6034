// The cases of bindings/cases.json, which all bindings share. A word that is not known here is a failed test.
import assert from 'node:assert/strict';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { PROJECT, isAlive, lacking, librunner, scratch } from './setup.js';

const { Bind, Command, Namespace, Proc, RunnerError } = librunner;
const { cases } = JSON.parse(readFileSync(join(PROJECT, 'bindings/cases.json'), 'utf8'));

function flags(kind, names) {
  return names.reduce((all, name) => {
    assert(name.toUpperCase() in kind, name);
    return all | kind[name.toUpperCase()];
  }, 0);
}

const mappings = (own) => (lines) => lines.map((line) => line.map((number) => (number === 'self' ? own : number)));
const milliseconds = (ns) => ns / 1e6;
const captures = (key) => (values) => Object.entries(values).map(([fd, most]) => [fd, { [key]: most }]);

const PIECES = {
  bind: ({ source, target, flags: names }) => ({ bind: source, target, flags: flags(Bind, names) }),
  tmpfs: ({ target, size, mode }) => ({ tmpfs: target, size, mode }),
  proc: ({ target, flags: names }) => ({ proc: target, flags: flags(Proc, names) }),
  dev: ({ target }) => ({ dev: target }),
  dir: ({ path, mode }) => ({ dir: path, mode }),
  symlink: ({ to, path }) => ({ symlink: path, to }),
  file: ({ path, contents, mode }) => ({ file: path, contents, mode }),
};

function piece(words) {
  const [[word, values], ...others] = Object.entries(words);
  assert(!others.length && word in PIECES, JSON.stringify(words));
  return PIECES[word](values);
}

const same = (key) => (value) => ({ [key]: value });
const as = (key, convert) => (value) => ({ [key]: convert(value) });

// A word of a case: what it is in JavaScript.
const OPTIONS = {
  env: as('env', (pairs) => Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s)))),
  workdir: same('cwd'),
  stdin: same('input'),
  wall_limit: as('wallLimit', milliseconds),
  cpu_limit: as('cpuLimit', milliseconds),
  memory_limit: same('memoryLimit'),
  process_limit: same('processLimit'),
  output_limit: same('outputLimit'),
  cpu_quota: same('cpuQuota'),
  cgroup_root: as('cgroupRoots', (path) => [path]),
  unshare: as('unshare', (names) => flags(Namespace, names)),
  uid_mappings: as('uidMappings', mappings(process.geteuid())),
  gid_mappings: as('gidMappings', mappings(process.getegid())),
  hostname: same('hostname'),
  pivot_root: same('pivotRoot'),
  root: as('root', (pieces) => pieces.map(piece)),
  credential: same('credential'),
  no_new_privs: same('noNewPrivs'),
  drop_caps: same('dropCaps'),
  seccomp: same('seccomp'),
  rlimits: as('rlimits', (lines) => Object.fromEntries(lines.map(([name, soft, hard]) => [name, [soft, hard]]))),
  umask: same('umask'),
  new_session_keyring: same('newSessionKeyring'),
  nice: same('nice'),
};

function command(words, opened) {
  const { args, capture = {}, capture_head: head = {}, exec_file: execFile, ...others } = words;
  const options = {};
  for (const [word, value] of Object.entries(others)) {
    assert(word in OPTIONS, `there is no option ${word}`);
    Object.assign(options, OPTIONS[word](value));
  }
  const files = Object.fromEntries([...captures('capture')(capture), ...captures('captureHead')(head)]);
  if (Object.keys(files).length) options.files = files;
  if (execFile) {
    opened.push(openSync(execFile));
    options.execFile = opened.at(-1);
  }
  return new Command(args, options);
}

async function abort(made) {
  const held = await made.hold();
  assert(isAlive(held.pid));
  await held.abort();
  return { gone: !isAlive(held.pid) };
}

async function kill(made) {
  const process = await made.spawn();
  process.kill();
  return process.wait();
}

const HOW = {
  run: (made) => made.run(),
  start: async (made) => (await made.start()).wait(),
  held: async (made) => (await (await made.hold()).resume()).wait(),
  held_abort: abort,
  kill,
  explain: async (made) => ({ text: made.explain() }),
};

const FIGURES = {
  wall_ns: ({ wall }) => wall * 1e6,
  cpu_ns: ({ cpu }) => cpu * 1e6,
  memory_peak: ({ memoryPeak }) => memoryPeak,
  process_limit_hits: ({ processLimitHits }) => processLimitHits,
};

function figures(result, expected, compare) {
  for (const [word, number] of Object.entries(expected)) {
    assert(word in FIGURES, `there is no figure ${word}`);
    assert(compare(FIGURES[word](result), number), `${word}: ${FIGURES[word](result)}, not ${number}`);
  }
}

function outputs(result, expected, show) {
  for (const [fd, value] of Object.entries(expected)) assert.equal(show(result.output[fd]), value);
}

const signalNumber = (name) => (name === null ? 0 : constants.signals[name]);

// A word of `expect`, and how it is looked at.
const EXPECT = {
  verdict: ({ verdict }, expected) => assert.equal(verdict, expected),
  evidence: ({ evidence }, expected) => assert.equal(evidence, expected),
  exit_code: ({ exitCode }, expected) => assert.equal(exitCode ?? -1, expected),
  signal: ({ signal }, expected) => assert.equal(signalNumber(signal), expected),
  output_cut: ({ outputCut }, expected) => assert.equal(outputCut, expected),
  output: (result, expected) => outputs(result, expected, (data) => data.toString()),
  output_base64: (result, expected) => outputs(result, expected, (data) => data.toString('base64')),
  output_length: (result, expected) => outputs(result, expected, (data) => data.length),
  at_least: (result, expected) => figures(result, expected, (figure, number) => figure >= number),
  at_most: (result, expected) => figures(result, expected, (figure, number) => figure <= number),
  gone: ({ gone }, expected) => assert.equal(gone, expected),
  text_contains: ({ text }, expected) => assert(text.includes(expected), text),
};

const ERROR = {
  stage: ({ stage }, expected) => assert.equal(stage, expected),
  index: ({ index }, expected) => assert.equal(index, expected),
  errno: ({ errno, code }, expected) => assert.deepEqual([errno, code], [constants.errno[expected], expected]),
  message_contains: ({ message }, expected) => assert(message.includes(expected), message),
};

function look(table, seen, expected) {
  for (const [word, value] of Object.entries(expected)) {
    assert(word in table, `there is nothing to expect of ${word}`);
    table[word](seen, value);
  }
}

function fill(value, directory) {
  if (typeof value === 'string') return value.replaceAll('{tmp}', directory);
  if (Array.isArray(value)) return value.map((entry) => fill(entry, directory));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, fill(entry, directory)]));
}

const rejection = (promise) => promise.then(() => assert.fail('no error'), (error) => error);

for (const { name, options, expect, how = 'run', needs = [], ...others } of cases) {
  test(name, { skip: lacking(...needs), timeout: 120_000 }, async (t) => {
    assert.deepEqual(Object.keys(others), []);
    assert(how in HOW, `there is no ${how}`);
    const words = fill(options, scratch(t));
    const opened = [];
    t.after(() => opened.forEach((fd) => closeSync(fd)));
    if (expect.invalid) {
      assert.deepEqual(expect, { invalid: true });
      assert.throws(() => command(words, opened), ({ name: type }) => ['TypeError', 'RangeError'].includes(type));
      return;
    }
    const ended = HOW[how](command(words, opened));
    if (!expect.error) return look(EXPECT, await ended, expect);
    const error = await rejection(ended);
    assert(error instanceof RunnerError, error);
    look(ERROR, error, expect.error);
  });
}
