// Where the binary comes from: the input binary names a file, for code that is
// not released; else it is the release that pins.json names, by its SHA-256.
'use strict';

const fs = require('fs');
const path = require('path');

const { download } = require('./download');
const { Failure, codes } = require('./failure');

// find gives the binary's path and, if it was downloaded, the folder made for
// it.
async function find(env, pins, options = {}) {
  const named = (env.INPUT_BINARY || '').trim();
  return named ? { path: local(named, env) } : released(env, pins, options);
}

function local(named, env) {
  const file = path.resolve(env.GITHUB_WORKSPACE || '.', named);
  const hint = 'the input binary takes the path of a vexxy binary for this machine, relative to the workspace';
  let stat;
  try {
    stat = fs.statSync(file);
    fs.accessSync(file, fs.constants.X_OK);
  } catch (err) {
    throw new Failure(codes.usage, `looking for binary ${file}: ${err.code === 'ENOENT' ? 'there is no such file' : err.message}`, hint);
  }
  if (!stat.isFile()) throw new Failure(codes.usage, `looking for binary ${file}: it is no file`, hint);
  return file;
}

async function released(env, pins, options) {
  const platform = `${options.platform || process.platform}-${options.arch || process.arch}`;
  if (!pins.version) {
    throw new Failure(codes.usage, 'this checkout of vexxy/action has no pinned release',
      'use a released tag or its commit, or build vexxy (make build) and name it with the input binary: bin/vexxy');
  }
  const pin = Object.prototype.hasOwnProperty.call(pins.files, platform) ? pins.files[platform] : undefined;
  if (!pin) {
    throw new Failure(codes.infra, `vexxy ${pins.version} has no binary for ${platform}`, `use a runner of ${Object.keys(pins.files).join(', ')}`);
  }
  if (!/^[0-9a-f]{64}$/.test(pin.sha256)) throw new Failure(codes.integrity, `the pin of ${platform} is no SHA-256`);
  const dir = fs.mkdtempSync(path.join(path.resolve(env.RUNNER_TEMP || require('os').tmpdir()), 'vexxy-action-'));
  const file = path.join(dir, 'vexxy');
  try {
    await download(new URL(`${pins.version}/${pin.name}`, pins.base), file, { env, ...options, sha256: pin.sha256, bytes: pin.bytes });
    fs.chmodSync(file, 0o755);
  } catch (err) {
    fs.rmSync(dir, { recursive: true, force: true });
    throw err;
  }
  return { path: file, dir };
}

module.exports = { find };
