// What README shows works as it stands, and prints what it says.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PACKAGE, lacking, scratch } from './setup.js';

const readme = readFileSync(join(PACKAGE, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);

for (const [i, code] of blocks.entries()) {
  test(`README, example ${i + 1}`, { skip: code.includes('unshare') && lacking('user_namespace') }, (t) => {
    const directory = scratch(t);
    mkdirSync(join(directory, 'node_modules'));
    symlinkSync(PACKAGE, join(directory, 'node_modules/librunner'));
    writeFileSync(join(directory, 'example.mjs'), code.replace('/tmp/root-', join(directory, 'root-')));
    const options = { cwd: directory, encoding: 'utf8' };
    const { stdout, stderr, status } = spawnSync(process.execPath, ['example.mjs'], options);
    assert.equal(status, 0, stderr);
    const promised = [...code.matchAll(/\/\/ prints (.*)$/gm)].map(([, text]) => text);
    assert(promised.length);
    for (const text of promised) assert(stdout.includes(text), stdout);
  });
}

test('README has examples', () => assert.equal(blocks.length, 4));
