'use strict';

const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, test } = require('node:test');

const { pin } = require('../pin');

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'vexxy-shim-test-'));
after(() => fs.rmSync(dir, { recursive: true, force: true }));

test('a release is pinned whole or not at all', () => {
  const file = path.join(dir, 'pins.json');
  const before = fs.readFileSync(path.join(__dirname, '..', 'pins.json'));
  fs.writeFileSync(file, before);
  const binary = Buffer.concat([Buffer.from('\x7fELF', 'latin1'), crypto.randomBytes(100)]);
  fs.writeFileSync(path.join(dir, 'vexxy_linux_amd64'), binary);
  const unchanged = () => assert.deepStrictEqual(fs.readFileSync(file), before);
  assert.throws(() => pin('v1.2.3', dir, file), /ENOENT/);
  unchanged();
  fs.writeFileSync(path.join(dir, 'vexxy_linux_arm64'), 'text');
  assert.throws(() => pin('v1.2.3', dir, file), /no program/);
  unchanged();
  fs.writeFileSync(path.join(dir, 'vexxy_linux_arm64'), binary);
  assert.throws(() => pin('main', dir, file), /no version/);
  unchanged();
  pin('v1.2.3', dir, file);
  const pins = JSON.parse(fs.readFileSync(file));
  const sha256 = crypto.createHash('sha256').update(binary).digest('hex');
  assert.strictEqual(pins.version, 'v1.2.3');
  assert.deepStrictEqual(pins.files['linux-x64'], { name: 'vexxy_linux_amd64', bytes: 104, sha256 });
  assert.deepStrictEqual(Object.keys(pins.files), ['linux-arm64', 'linux-x64']);
});
