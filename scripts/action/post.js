// The job's end: ends what a killed step left running, lets the binary remove
// what it made, and removes the binary if it was downloaded. It runs always and
// never fails the job.
'use strict';

const fs = require('fs');
const path = require('path');
const { spawn } = require('child_process');

const runner = require('./lib/runner');
const child = require('./lib/child');

// limit bounds the clean-up, in ms.
const limit = 120_000;

async function post(env) {
  const binary = env.STATE_binary;
  if (!binary) return;
  try {
    await child.end(Number(env.STATE_pid), binary);
    if (/^(true|yes|on|1)$/i.test((env['INPUT_RETAIN-CLUSTER'] || '').trim())) {
      console.log('retain-cluster: nothing is removed; `vexxy cleanup` removes it');
    } else {
      await cleanup(binary, env);
    }
  } catch (err) {
    runner.warning(`cleaning up: ${err.message}`, 'what is left goes with the next run on this machine, or with `vexxy cleanup`');
  }
  forget(env.STATE_dir, env);
}

function cleanup(binary, env) {
  return new Promise((resolve, reject) => {
    const own = { ...env };
    for (const name of Object.keys(own)) if (name.startsWith('INPUT_')) delete own[name];
    const proc = spawn(binary, ['cleanup'], { stdio: ['ignore', 1, 1], env: own });
    const timer = setTimeout(() => proc.kill('SIGKILL'), limit);
    proc.on('error', (err) => { clearTimeout(timer); reject(err); });
    proc.on('exit', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(signal ? `not done after ${limit / 1000} s` : `exit code ${code}`));
    });
  });
}

// forget removes the folder of a downloaded binary: one that binary.find made.
function forget(dir, env) {
  const root = env.RUNNER_TEMP;
  if (!dir || !root || path.dirname(dir) !== path.resolve(root) || !path.basename(dir).startsWith('vexxy-action-')) return;
  fs.rmSync(dir, { recursive: true, force: true });
}

module.exports = { post };

if (require.main === module) {
  post(process.env).catch((err) => runner.warning(err.stack)).then(() => { process.exitCode = 0; });
}
