// Pins a release: writes pins.json from the folder of its binaries.
//
//	node scripts/action/pin.js v1.2.3 dist
//
// The folder holds vexxy_linux_amd64 and vexxy_linux_arm64, as they are
// published. The commit with the pins is the one to tag.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

// names are the released files by Node's platform and architecture.
const names = { 'linux-arm64': 'vexxy_linux_arm64', 'linux-x64': 'vexxy_linux_amd64' };

function pin(version, dir, file) {
  if (!/^v\d+\.\d+\.\d+$/.test(version)) throw new Error(`${version} is no version, such as v1.2.3`);
  const pins = JSON.parse(fs.readFileSync(file, 'utf8'));
  pins.version = version;
  pins.files = {};
  for (const [platform, name] of Object.entries(names)) {
    const data = fs.readFileSync(path.join(dir, name));
    if (data.subarray(0, 4).toString('latin1') !== '\x7fELF') throw new Error(`${name} is no program for Linux`);
    pins.files[platform] = { name, bytes: data.length, sha256: crypto.createHash('sha256').update(data).digest('hex') };
  }
  fs.writeFileSync(file, `${JSON.stringify(pins, null, 2)}\n`);
}

module.exports = { pin };

if (require.main === module) {
  const [version, dir] = process.argv.slice(2);
  if (!version || !dir) {
    console.error('usage: pin.js VERSION FOLDER');
    process.exitCode = 3;
  } else {
    pin(version, dir, path.join(__dirname, 'pins.json'));
  }
}
