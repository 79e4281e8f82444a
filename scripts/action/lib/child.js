// The binary as a child: it gets the step's signals, and says how it ended.
'use strict';

const fs = require('fs');
const path = require('path');
const { spawn } = require('child_process');
const { setTimeout: pause } = require('timers/promises');

const runner = require('./runner');
const { Failure, codes } = require('./failure');

const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const bySignal = { SIGINT: codes.interrupted, SIGTERM: codes.terminated, SIGHUP: codes.terminated };

const modes = ['run', 'attest', 'publish'];

// words gives the command line for the step's mode. The folder of another job's
// results is in the workspace unless it is absolute, so that none looks like a
// flag.
function words(env) {
  const mode = (env.INPUT_MODE || '').trim() || 'run';
  const from = (env.INPUT_FROM || '').trim();
  if (!modes.includes(mode)) throw new Failure(codes.usage, `mode is ${runner.line(mode)}`, `mode is one of ${modes.join(', ')}`);
  if (mode === 'run') {
    if (from) throw new Failure(codes.usage, 'from is given, and mode is run', 'from names the results of another job, for mode: attest and mode: publish');
    return ['run'];
  }
  if (!from) throw new Failure(codes.usage, `mode is ${mode}, and from is not given`, 'download the results of the job that ran the image, and name their folder with from');
  return [mode, path.resolve(env.GITHUB_WORKSPACE || '.', from)];
}

// run runs the binary and gives { code }. Both of its streams go to the step's
// one log: in two, its groups would mix.
function run(binary, env) {
  return new Promise((resolve, reject) => {
    const proc = spawn(binary, words(env), { stdio: ['ignore', 1, 1], env });
    const forward = (signal) => proc.kill(signal);
    for (const signal of forwarded) process.on(signal, forward);
    const done = () => { for (const signal of forwarded) process.removeListener(signal, forward); };
    if (proc.pid) runner.saveState(env, { pid: proc.pid });
    proc.on('error', (err) => {
      done();
      reject(new Failure(codes.usage, `starting ${binary}: ${err.message}`, 'it must be a vexxy binary for this machine'));
    });
    proc.on('exit', (code, signal) => {
      done();
      if (signal && !bySignal[signal]) runner.error(`vexxy was killed by ${signal}`, 'most likely the machine ran out of memory');
      resolve({ code: signal ? bySignal[signal] || codes.internal : code });
    });
  });
}

// end ends a binary that has outlived its step: a killed shim cannot forward
// anything. A number that another program has by now is left alone.
async function end(pid, binary, grace = 10_000) {
  if (!Number.isInteger(pid) || pid <= 1 || !runs(pid, binary)) return;
  process.kill(pid, 'SIGTERM');
  for (const until = Date.now() + grace; Date.now() < until && runs(pid, binary);) await pause(100);
  if (runs(pid, binary)) process.kill(pid, 'SIGKILL');
  for (const until = Date.now() + 1_000; Date.now() < until && runs(pid, binary);) await pause(20);
}

// runs reports whether a process is the binary. One that has ended and that
// nobody waited for has no program any more.
function runs(pid, binary) {
  try {
    return fs.readlinkSync(`/proc/${pid}/exe`) === fs.realpathSync(binary);
  } catch {
    return false;
  }
}

module.exports = { run, end };
