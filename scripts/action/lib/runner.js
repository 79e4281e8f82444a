// What GitHub's runner is told: annotations by the log, outputs and state by
// its files.
'use strict';

const crypto = require('crypto');
const fs = require('fs');

const { codes } = require('./failure');

// line makes one printable line of a text, so that nothing in it is a command.
function line(text) {
  // eslint-disable-next-line no-control-regex
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`).slice(0, 2000);
}

function annotate(level, message, hint) {
  const lines = String(message).split('\n').slice(0, 20).map(line);
  if (hint) lines.push(line(hint));
  console.log(`::${level} title=vexxy::${lines.join('\n').replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A')}`);
}

const error = (message, hint) => annotate('error', message, hint);
const warning = (message, hint) => annotate('warning', message, hint);

// append adds values to one of the runner's files, each between delimiters that
// nobody can guess.
function append(file, values) {
  let text = '';
  for (const [name, value] of Object.entries(values)) {
    const delimiter = `vexxy-${crypto.randomBytes(16).toString('hex')}`;
    text += `${name}<<${delimiter}\n${value === undefined || value === null ? '' : value}\n${delimiter}\n`;
  }
  fs.appendFileSync(file, text);
}

function saveState(env, values) {
  if (env.GITHUB_STATE) append(env.GITHUB_STATE, values);
}

// outputs reads what the step has written so far; the last of a name holds. It
// gives null where that cannot be read.
function outputs(env) {
  let rest;
  try {
    rest = fs.readFileSync(env.GITHUB_OUTPUT, 'utf8');
  } catch {
    return null;
  }
  const got = {};
  while (rest) {
    const head = /^([^\n=]+?)<<([^\n]+)\n/.exec(rest);
    if (!head) break;
    const body = rest.slice(head[0].length);
    const end = body.startsWith(`${head[2]}\n`) ? 0 : body.indexOf(`\n${head[2]}\n`);
    if (end < 0) break;
    got[head[1]] = body.slice(0, end);
    rest = body.slice(end + head[2].length + (end === 0 && body.startsWith(`${head[2]}\n`) ? 1 : 2));
  }
  return got;
}

// known are the exit codes of README.md. A shell that was given a binary of
// another machine has others.
const known = new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 124, 130, 143]);

// settle gives the step's exit code, and sees that the outputs agree with it. A
// Go program that panics ends with 2 as well: 2 is a failed gate only where
// this run's result says so (of several images the verdict may be a milder one's,
// the code not), and 0 a run only where it has a verdict.
function settle(env, ended) {
  const got = outputs(env) || {};
  let { code } = ended;
  if (code === codes.gate && !failedGate(got)) {
    error('vexxy ended with 2, and no result of this run says that the gate failed', 'this is a fault of vexxy: please report it with the log');
    code = codes.internal;
  }
  if (!known.has(code)) {
    error(`vexxy ended with ${code}, which is none of its codes`, 'does the input binary name a vexxy binary for this machine?');
    code = codes.internal;
  }
  if (code === 0 && !got.verdict) {
    error('vexxy ended without a verdict', 'does the input binary name a vexxy binary?');
    code = codes.internal;
  }
  if (got['exit-code'] !== String(code)) {
    const cancelled = code === codes.interrupted || code === codes.terminated;
    const values = { verdict: cancelled ? 'cancelled' : 'error', 'exit-code': code };
    try {
      append(env.GITHUB_OUTPUT, values);
    } catch (err) {
      warning(`writing GITHUB_OUTPUT: ${err.message}`);
    }
  }
  return code;
}

function failedGate(got) {
  try {
    const result = JSON.parse(fs.readFileSync(got.result, 'utf8'));
    return result.exit_code === codes.gate && result.run_id === got['run-id'] && Boolean(got['run-id']);
  } catch {
    return false;
  }
}

module.exports = { error, warning, saveState, append, outputs, settle, line };
