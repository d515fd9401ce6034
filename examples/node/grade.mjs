#!/usr/bin/env node
// Grades a program: grade.mjs PROGRAM INPUT EXPECTED
//
// The program sees its input, a root with the system's programs in it, and nothing else of the machine. What it
// prints is compared with EXPECTED, white space at the end aside. Exits with 0 where it is accepted.
import { mkdtemp, readFile, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Bind, Namespace, run } from 'librunner';

const MIB = 1024 * 1024;
const NOBODY = 65534;

// Runs it as nobody: root's nobody is the machine's, an ordinary user's is himself.
function judge(program, input, pivotRoot) {
  const isRoot = process.geteuid() === 0;
  const [uid, gid] = isRoot ? [NOBODY, NOBODY] : [process.geteuid(), process.getegid()];
  return run(['/program'], {
    input,
    unshare: Namespace.USER | Namespace.PID | Namespace.MOUNT | Namespace.NET | Namespace.IPC | Namespace.UTS,
    uidMappings: [[NOBODY, uid, 1]],
    gidMappings: [[NOBODY, gid, 1]],
    credential: isRoot ? { uid: NOBODY, gid: NOBODY } : undefined,
    pivotRoot,
    root: [
      { bind: '/bin' },
      { bind: '/usr' },
      { bind: '/lib' },
      { bind: '/lib64', flags: Bind.RO | Bind.REC | Bind.OPTIONAL },
      { bind: resolve(program), target: '/program' },
      { tmpfs: '/tmp', size: 16 * MIB },
      { proc: '/proc' },
      { dev: '/dev' },
    ],
    dropCaps: true,
    noNewPrivs: true,
    cpuLimit: 1000,
    wallLimit: 3000,
    memoryLimit: 64 * MIB,
    processLimit: 16,
    outputLimit: MIB,
  });
}

function verdictOf(result, expected) {
  if (!result.ok) return `${result.verdict} by ${result.evidence}`;
  return result.stdout.toString().trimEnd() === expected.trimEnd() ? 'accepted' : 'wrong_answer';
}

async function grade(program, inputFile, expectedFile) {
  const [input, expected] = await Promise.all([readFile(inputFile), readFile(expectedFile, 'utf8')]);
  const root = await mkdtemp(join(tmpdir(), 'grade-'));
  const result = await judge(program, input, root).finally(() => rmdir(root));
  const verdict = verdictOf(result, expected);
  console.log(`${verdict}; ${result.cpu.toFixed(1)} ms CPU, ${(result.memoryPeak / MIB).toFixed(1)} MiB`);
  return verdict === 'accepted';
}

if (process.argv.length !== 5) {
  console.error('usage: grade.mjs PROGRAM INPUT EXPECTED');
  process.exit(2);
}
try {
  process.exitCode = (await grade(...process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  console.error(`grade.mjs: ${error.message}`);
  process.exitCode = 1;
}
