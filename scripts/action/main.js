// The action's step: finds the binary, runs it with the step's inputs, and ends
// as it ends. What is left to the job's end is in post.js. It has no
// dependencies and runs on Node 20 and later.
'use strict';

const runner = require('./lib/runner');
const binary = require('./lib/binary');
const child = require('./lib/child');
const { Failure } = require('./lib/failure');

async function main(env, pins) {
  let got;
  try {
    got = await binary.find(env, pins);
    runner.saveState(env, { binary: got.path, dir: got.dir });
    return runner.settle(env, await child.run(got.path, env));
  } catch (err) {
    const code = err instanceof Failure ? err.code : 1;
    runner.error(err instanceof Failure ? err.message : err.stack, err.hint);
    return runner.settle(env, { code });
  }
}

module.exports = { main };

if (require.main === module) {
  main(process.env, require('./pins.json')).then((code) => { process.exitCode = code; });
}
