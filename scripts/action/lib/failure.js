// A failure that knows the exit code it ends with (README.md, exit codes) and
// what to do about it.
'use strict';

const codes = { internal: 1, gate: 2, usage: 3, infra: 5, integrity: 6, interrupted: 130, terminated: 143 };

class Failure extends Error {
  constructor(code, message, hint) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

module.exports = { Failure, codes };
