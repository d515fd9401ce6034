// What the tests share. The library is the one of this checkout, unless RUNNER_LIBRARY names another.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, chmodSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export const HERE = fileURLToPath(new URL('.', import.meta.url));
export const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
export const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
process.env.RUNNER_LIBRARY ||= join(PROJECT, 'build/lib/librunner.so.0');

export const librunner = await import('../index.js');
const { Missing, Namespace } = librunner;

export const probed = await librunner.probe();
const HAS = {
  root: () => process.geteuid() === 0,
  user_namespace: () => probed.userNamespace,
  memory_cgroup: () => !(probed.runsMiss & Missing.MEMORY),
  pids_cgroup: () => !(probed.runsMiss & Missing.PROCESSES),
  cpu_cgroup: () => !(probed.runsMiss & Missing.CPU),
};

/** Why a test is skipped; false where it is not. */
export function lacking(...needs) {
  for (const need of needs) assert(need in HAS, `there is no need ${need}`);
  const lacks = needs.find((need) => !HAS[need]());
  return lacks ? `no ${lacks}: ${probed.blocker}` : false;
}

export const ISOLATED = probed.userNamespace ? { unshare: Namespace.USER | Namespace.PID } : {};

/** A directory that goes with the test. */
export function scratch(t) {
  const path = mkdtempSync(join(tmpdir(), 'librunner-'));
  chmodSync(path, 0o755);
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Runs Node with the text of a module, which finds the package as `librunner`. */
export async function script(text, { args = [], env = {}, kill, files = 1000, load = true } = {}) {
  const code = load ? `const librunner = await import(${JSON.stringify(join(PACKAGE, 'index.js'))});\n${text}` : text;
  const node = [process.execPath, ...args, '--input-type=module', '-e', code];
  const child = spawn('/bin/sh', ['-c', 'ulimit -n $0 && exec "$@"', files, ...node], {
    env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (chunk) => {
      output[name] += chunk;
      if (kill && output.stdout.includes(kill)) child.kill('SIGKILL');
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const [code_, signal] = await once(child, 'close');
  clearTimeout(timer);
  return { ...output, code: code_, signal };
}

export function isAlive(pid) {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Waits until it is so; fails where it never is. */
export async function until(what, condition) {
  for (let i = 0; i < 1000; i++) {
    if (await condition()) return;
    await sleep(10);
  }
  assert.fail(`never: ${what}`);
}

export const openFds = () => readdirSync('/proc/self/fd').length;

setFlagsFromString('--expose-gc');
export const gc = runInNewContext('gc');
