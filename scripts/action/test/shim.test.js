'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { after, test } = require('node:test');
const { setTimeout: pause } = require('node:timers/promises');

const runner = require('../lib/runner');

const shim = path.join(__dirname, '..');
const made = [];
after(() => { for (const dir of made) fs.rmSync(dir, { recursive: true, force: true }); });

// step is a step's surroundings, with a binary that does what the script says.
// The binary is Node itself by another name: `binary run` is run.js.
function step(scripts = {}, more = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'vexxy-shim-test-'));
  made.push(dir);
  const binary = path.join(dir, 'vexxy');
  fs.symlinkSync(process.execPath, binary);
  for (const [name, text] of Object.entries({ run: '', cleanup: '', ...scripts })) {
    fs.writeFileSync(path.join(dir, `${name}.js`), `const fs = require('fs'); const env = process.env; ${text}`);
  }
  const env = {
    PATH: process.env.PATH, HOME: dir, RUNNER_TEMP: dir, GITHUB_WORKSPACE: dir, GITHUB_ACTIONS: 'true',
    GITHUB_OUTPUT: path.join(dir, 'output'), GITHUB_STATE: path.join(dir, 'state'), INPUT_BINARY: 'vexxy', ...more,
  };
  for (const name of ['GITHUB_OUTPUT', 'GITHUB_STATE']) if (env[name]) fs.writeFileSync(env[name], '');
  return { dir, env };
}

// start starts one of the shim's two programs.
function start(file, { dir, env }) {
  const proc = spawn(process.execPath, [path.join(shim, file)], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  proc.stdout.on('data', (d) => { log += d; });
  proc.stderr.on('data', (d) => { log += d; });
  const ended = new Promise((resolve) => {
    proc.on('close', (code, signal) => resolve({ code, signal, log }));
  });
  return { proc, ended, log: () => log };
}

const run = (file, s) => start(file, s).ended;

// state gives what main has saved, as the runner gives it to post.
function state(s) {
  const saved = {};
  for (const [name, value] of Object.entries(runner.outputs({ GITHUB_OUTPUT: s.env.GITHUB_STATE }))) saved[`STATE_${name}`] = value;
  return saved;
}

const writes = (values) => `
  for (const [k, v] of Object.entries(${JSON.stringify(values)})) fs.appendFileSync(env.GITHUB_OUTPUT, k + '<<x9\\n' + v + '\\nx9\\n');`;
const outputs = (s) => runner.outputs(s.env);

// gate is a run whose gate failed, as its result says.
const gate = (id, result) => `fs.writeFileSync('result.json', JSON.stringify(${JSON.stringify(result)}));
  ${writes({ verdict: result.verdict, 'exit-code': '2', 'run-id': id })}
  fs.appendFileSync(env.GITHUB_OUTPUT, 'result<<x\\n' + process.cwd() + '/result.json\\nx\\n'); process.exit(2);`;

test('the mode says what is done, and with which folder', async (t) => {
  const says = `${writes({ verdict: 'pass', 'exit-code': '0' })} console.log(JSON.stringify([env.INPUT_MODE, ...process.argv.slice(2)]))`;
  for (const [mode, from, want] of [
    ['', '', []], ['run', '', []], ['attest', 'seen', ['{dir}/seen']], ['publish', '-x', ['{dir}/-x']], [' publish ', '/tmp/seen', ['/tmp/seen']],
  ]) {
    await t.test(`${mode} ${from}`, async () => {
      const s = step({ run: says, attest: says, publish: says }, { INPUT_MODE: mode, INPUT_FROM: from });
      const got = await run('main.js', s);
      assert.strictEqual(got.code, 0, got.log);
      assert.ok(got.log.includes(JSON.stringify([mode, ...want.map((w) => w.replace('{dir}', s.dir))])), got.log);
    });
  }
  for (const [mode, from, hint] of [['sign', 'x', 'run, attest, publish'], ['run', 'x', 'from names the results'], ['attest', '', 'name their folder with from'], ['-v\n::error::x', '', 'mode is one of']]) {
    await t.test(`${mode} ${from} is refused`, async () => {
      const s = step({ run: says }, { INPUT_MODE: mode, INPUT_FROM: from });
      const got = await run('main.js', s);
      assert.strictEqual(got.code, 3, got.log);
      assert.ok(got.log.includes(hint) && !got.log.includes('\n::error::x'), got.log);
      assert.strictEqual(outputs(s).verdict, 'error');
    });
  }
});

test('exit codes keep their meaning', async (t) => {
  const cases = {
    'a pass': [writes({ verdict: 'pass', 'exit-code': '0' }), 0, 'pass'],
    'a warning only': [writes({ verdict: 'fail', 'exit-code': '0' }), 0, 'fail'],
    'bad input': [`${writes({ verdict: 'error', 'exit-code': '3' })} process.exit(3)`, 3, 'error'],
    'a failed gate': [gate('r1', { verdict: 'fail', exit_code: 2, run_id: 'r1' }), 2, 'fail'],
    'a failed gate of one image among several': [gate('r1', { verdict: 'inconclusive', exit_code: 2, run_id: 'r1' }), 2, 'inconclusive'],
    'a failed gate that only warns': [gate('r1', { verdict: 'fail', exit_code: 0, run_id: 'r1' }), 1, 'error'],
    'a panic': ['process.exit(2)', 1, 'error'],
    'a panic after the outputs': [`${writes({ verdict: 'pass', 'exit-code': '0' })} process.exit(2)`, 1, 'error'],
    "another run's result": [gate('r1', { verdict: 'fail', exit_code: 2, run_id: 'r0' }), 1, 'error'],
    'a result that passes': [gate('r1', { verdict: 'pass', exit_code: 0, run_id: 'r1' }), 1, 'error'],
    'a result without a run': [gate('', { verdict: 'fail', exit_code: 2, run_id: '' }), 1, 'error'],
    'no verdict': ['', 1, 'error'],
    'killed': ["process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000)", 1, 'error'],
    'a program that is not vexxy': ['process.exit(127)', 1, 'error'],
    'a deadline': [`${writes({ verdict: 'error', 'exit-code': '124' })} process.exit(124)`, 124, 'error'],
    'an error without outputs': ['process.exit(5)', 5, 'error'],
    'terminated by others': ["process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)", 143, 'cancelled'],
  };
  for (const [name, [script, code, verdict]] of Object.entries(cases)) {
    await t.test(name, async () => {
      const s = step({ run: script });
      const got = await run('main.js', s);
      assert.strictEqual(got.code, code, got.log);
      assert.strictEqual(outputs(s).verdict, verdict);
      assert.strictEqual(outputs(s)['exit-code'], String(code));
    });
  }
});

test('inputs reach the binary, and its log the step', async () => {
  const s = step({ run: `console.log('out', env['INPUT_FAIL-ON-SEVERITY'], process.argv.length); console.error('err'); ${writes({ verdict: 'pass', 'exit-code': '0' })}` },
    { 'INPUT_FAIL-ON-SEVERITY': 'high' });
  const got = await run('main.js', s);
  assert.strictEqual(got.log, 'out high 2\nerr\n');
});

for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) {
  test(`${signal} reaches the binary, which ends in its own time`, async () => {
    const s = step({
      run: `process.on('${signal}', () => setTimeout(() => { console.log('undone'); process.exit(${code}); }, 200)); console.log('ready'); setInterval(() => {}, 1000)`,
    });
    const main = start('main.js', s);
    while (!main.log().includes('ready')) await pause(20);
    main.proc.kill(signal);
    const got = await main.ended;
    assert.strictEqual(got.code, code, got.log);
    assert.match(got.log, /undone/);
    assert.strictEqual(outputs(s).verdict, 'cancelled');
  });
}

test('a binary that cannot be is said in words', async (t) => {
  const cases = {
    'there is no such file': (s) => { s.env.INPUT_BINARY = 'bin/none'; },
    'it is no file': (s) => { s.env.INPUT_BINARY = s.dir; },
    'EACCES': (s) => { s.env.INPUT_BINARY = 'plain'; fs.writeFileSync(path.join(s.dir, 'plain'), 'x', { mode: 0o600 }); },
    'starting': (s) => { s.env.INPUT_BINARY = 'odd'; fs.writeFileSync(path.join(s.dir, 'odd'), '#!/no/such/program\n', { mode: 0o755 }); },
    'no pinned release': (s) => { s.env.INPUT_BINARY = ' '; },
  };
  for (const [says, change] of Object.entries(cases)) {
    await t.test(says, async () => {
      const s = step();
      change(s);
      const got = await run('main.js', s);
      assert.strictEqual(got.code, 3, got.log);
      assert.match(got.log, new RegExp(`^::error title=vexxy::[^\n]*${says}[^\n]*binary[^\n]*\n$`));
      assert.strictEqual(outputs(s).verdict, 'error');
    });
  }
});

test('outputs are read as the runner reads them', () => {
  const s = step();
  runner.append(s.env.GITHUB_OUTPUT, { a: '1', b: '', c: 'x\ny<<z\n', a2: undefined });
  runner.append(s.env.GITHUB_OUTPUT, { a: '2' });
  assert.deepStrictEqual(outputs(s), { a: '2', b: '', c: 'x\ny<<z\n', a2: '' });
  fs.appendFileSync(s.env.GITHUB_OUTPUT, 'broken');
  assert.strictEqual(outputs(s).a, '2');
  assert.strictEqual(runner.outputs({}), null);
});

test('no text becomes a command', () => {
  for (const text of ['a\r::set-output name=x::y', 'a\u0000b', '\u202egpj', '\u2028x']) {
    assert.doesNotMatch(runner.line(text), /[\r\n\u0000\u202e\u2028]/);
  }
});

test('post removes what is left, without the inputs', async () => {
  const s = step({
    run: writes({ verdict: 'pass', 'exit-code': '0' }),
    cleanup: "console.log('cleanup', Object.keys(env).filter((k) => k.startsWith('INPUT_')).length)",
  });
  await run('main.js', s);
  Object.assign(s.env, state(s));
  const got = await run('post.js', s);
  assert.deepStrictEqual([got.code, got.log], [0, 'cleanup 0\n']);
});

test('post ends a binary whose step was killed, and then cleans up', async () => {
  const s = step({
    run: "process.on('SIGTERM', () => { fs.writeFileSync('ended', ''); process.exit(143); }); console.log('ready'); setInterval(() => {}, 1000)",
    cleanup: "console.log('cleanup after', fs.existsSync('ended'))",
  });
  const main = start('main.js', s);
  while (!main.log().includes('ready')) await pause(20);
  main.proc.kill('SIGKILL');
  Object.assign(s.env, state(s));
  assert.ok(fs.existsSync(`/proc/${s.env.STATE_pid}`), 'the binary died with its step: nothing is tested');
  const got = await run('post.js', s);
  assert.deepStrictEqual([got.code, got.log], [0, 'cleanup after true\n']);
  assert.ok(!fs.existsSync(`/proc/${s.env.STATE_pid}/exe`), "it still runs");
});

test('post leaves other programs alone', async () => {
  const other = spawn('sleep', ['60']);
  const s = step({}, { STATE_pid: String(other.pid) });
  s.env.STATE_binary = path.join(s.dir, 'vexxy');
  await run('post.js', s);
  assert.ok(fs.existsSync(`/proc/${other.pid}`) && other.exitCode === null && other.signalCode === null);
  other.kill();
});

test('post never fails the job', async (t) => {
  const cases = {
    'nothing was saved': [{}, /^$/],
    'the clean-up fails': [{ cleanup: 'process.exit(5)' }, /^::warning title=vexxy::cleaning up: exit code 5/],
    'the binary is gone': [{ gone: '' }, /^::warning title=vexxy::cleaning up: spawn/],
    'the cluster is to be kept': [{ keep: '', cleanup: "console.log('cleanup')" }, /^retain-cluster: nothing is removed/],
  };
  for (const [name, [scripts, says]] of Object.entries(cases)) {
    await t.test(name, async () => {
      const s = step(scripts);
      if (Object.keys(scripts).length) s.env.STATE_binary = path.join(s.dir, 'gone' in scripts ? 'none' : 'vexxy');
      if ('keep' in scripts) s.env['INPUT_RETAIN-CLUSTER'] = 'true';
      const got = await run('post.js', s);
      assert.strictEqual(got.code, 0);
      assert.match(got.log, says);
    });
  }
});

test('post removes the folder of a download and no other', async () => {
  const s = step();
  const own = fs.mkdtempSync(path.join(s.dir, 'vexxy-action-'));
  const nested = path.join(own, 'vexxy-action-x');
  const other = fs.mkdtempSync(path.join(s.dir, 'other-'));
  fs.mkdirSync(nested);
  for (const [dir, gone] of [[other, false], [nested, false], [own, true]]) {
    Object.assign(s.env, { STATE_binary: path.join(s.dir, 'vexxy'), STATE_dir: dir });
    await run('post.js', s);
    assert.strictEqual(fs.existsSync(dir), !gone, dir);
  }
});
