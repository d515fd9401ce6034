// The example, as its reader would use it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PACKAGE, PROJECT, lacking, scratch } from './setup.js';

const outside = process.geteuid() === 0 ? 65534 : process.geteuid();

// On a crowded machine a program has not had its second of CPU after three.
const PROGRAMS = {
  'accepted': ['read a b; echo $((a + b)); echo', /^accepted/],
  'white space in front': ["echo ' 3'", /^wrong_answer/],
  'wrong': ['echo 4', /^wrong_answer/],
  'fails': ['echo 3; exit 1', /^finished by exit code/],
  'spins': ['while :; do :; done', /^(time_limit by CPU time|wall_limit by wall timer)/],
  'sleeps': ['sleep 100', /^wall_limit by wall timer/],
  'floods': ['while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done', /^output_limit by capture/],
  'is hungry': ['exec tail /dev/zero', /^memory_limit by (OOM killer|memory figure)/],
  'is nobody': ['[ $(id -u) = 65534 ] && echo 3', /^accepted/],
  'is the right one': [`[ "$(tr -s ' ' </proc/self/uid_map)" = ' 65534 ${outside} 1' ] && echo 3`, /^accepted/],
  'no network': ['[ $(grep -c : /proc/net/dev) = 1 ] && echo 3', /^accepted/],
  'no capability': ["grep -q 'CapEff:.*0000000000000000' /proc/self/status && echo 3", /^accepted/],
  'no privileges': ["grep -q 'NoNewPrivs:.*1' /proc/self/status && echo 3", /^accepted/],
  'no host': ['[ ! -e /etc/passwd ] && [ ! -e /root ] && [ ! -e /home ] && echo 3', /^accepted/],
  'a /tmp': ['echo 3 >/tmp/x && cat /tmp/x', /^accepted/],
  'no other place': ['echo 3; ! touch /x /bin/x /usr/x /program 2>/dev/null', /^accepted/],
};

/** A directory with the example in it, and the package where Node looks for it. */
function place(t) {
  const directory = scratch(t);
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(PACKAGE, join(directory, 'node_modules/librunner'));
  copyFileSync(join(PROJECT, 'examples/node/grade.mjs'), join(directory, 'grade.mjs'));
  writeFileSync(join(directory, 'input'), '1 2\n');
  writeFileSync(join(directory, 'expected'), '3\n');
  return directory;
}

function program(directory, script) {
  writeFileSync(join(directory, 'program'), `#!/bin/sh\nexport PATH=/usr/bin:/bin\n${script}\n`, { mode: 0o755 });
}

const ARGS = ['grade.mjs', 'program', 'input', 'expected'];
const grade = (cwd) => spawnSync(process.execPath, ARGS, { cwd, encoding: 'utf8' });

for (const [name, [script, expected]] of Object.entries(PROGRAMS)) {
  test(`a program: ${name}`, { skip: lacking('user_namespace') }, (t) => {
    const directory = place(t);
    program(directory, script);
    const { stdout, stderr, status } = grade(directory);
    assert.match(stdout, expected, stderr);
    assert.match(stdout, /; \d+\.\d ms CPU, \d+\.\d MiB\n$/);
    assert.equal(status, stdout.startsWith('accepted') ? 0 : 1);
  });
}

test('a program that is not there', { skip: lacking('user_namespace') }, (t) => {
  const directory = place(t);
  program(directory, '');
  unlinkSync(join(directory, 'program'));
  const { stderr, status } = grade(directory);
  assert.equal(status, 1);
  assert.match(stderr, /^grade.mjs: mount .*program.*No such file/);
});
