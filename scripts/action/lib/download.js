// A download that ends: https alone, few redirects, no more bytes than are
// pinned, a time for all of it, and the SHA-256 that it must have.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const https = require('https');
const { pipeline } = require('stream/promises');
const { Transform } = require('stream');
const { setTimeout: pause } = require('timers/promises');

const { Failure, codes } = require('./failure');
const { proxyOf, through, tunnel } = require('./proxy');

const defaults = {
  env: {}, // that names a proxy
  bytes: 512 << 20, // the most that a binary can have
  redirects: 5,
  tries: 4,
  idle: 30_000, // ms without a byte
  total: 300_000, // ms for all of it
  pause: 1_000, // ms before the second try, doubled each time
};

// Passing failures are worth another try; all others are not.
class Passing extends Error {}

async function download(url, file, options) {
  const o = { ...defaults };
  for (const [name, value] of Object.entries(options)) if (value !== undefined) o[name] = value;
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), o.total);
  let last;
  try {
    for (let i = 0; i < o.tries && !abort.signal.aborted; i++) {
      if (i > 0) await pause(o.pause * 2 ** (i - 1), undefined, { signal: abort.signal });
      try {
        return await once(url, file, o, abort.signal);
      } catch (err) {
        if (!(err instanceof Passing)) throw err;
        last = err;
      }
    }
  } catch (err) {
    if (err instanceof Failure) throw err;
    if (err.name !== 'AbortError') throw err;
  } finally {
    clearTimeout(timer);
  }
  const why = abort.signal.aborted ? `not done after ${o.total / 1000} s` : '';
  throw new Failure(codes.infra, `downloading ${url}: ${[why, last && last.message].filter(Boolean).join('; ')}`,
    'run the job again, or download the binary in a step of its own and name it with the input binary');
}

async function once(url, file, o, signal) {
  let at = url;
  for (let hops = 0; hops <= o.redirects; hops++) {
    if (at.protocol !== 'https:') throw new Failure(codes.integrity, `downloading ${url}: it leads to ${at.protocol}//${at.host}, which is not https`);
    const response = await get(at, o, signal);
    const { statusCode: status } = response;
    if ([301, 302, 303, 307, 308].includes(status) && response.headers.location) {
      response.destroy();
      try {
        at = new URL(response.headers.location, at);
      } catch {
        throw new Failure(codes.infra, `downloading ${url}: it leads to no address`);
      }
      continue;
    }
    if (status !== 200) {
      response.destroy();
      const what = `${at.host} answers ${status}`;
      if (status >= 500 || status === 429 || status === 408) throw new Passing(what);
      throw new Failure(codes.infra, `downloading ${url}: ${what}`, 'does this version still have its release?');
    }
    return save(response, url, file, o, signal);
  }
  throw new Failure(codes.infra, `downloading ${url}: more than ${o.redirects} redirects`);
}

async function get(at, o, signal) {
  let way = { ca: o.ca };
  try {
    const proxy = proxyOf(at, o.env);
    if (proxy) way = through(await tunnel(proxy, at, { signal, idle: o.idle }), at, o.ca);
  } catch (err) {
    throw err.name === 'AbortError' ? err : new Passing(err.message);
  }
  return new Promise((resolve, reject) => {
    const request = https.get(at, { ...way, signal, headers: { 'User-Agent': 'vexxy-action', Accept: 'application/octet-stream' } }, resolve);
    request.setTimeout(o.idle, () => request.destroy(new Error(`nothing came for ${o.idle / 1000} s`)));
    request.on('error', (err) => reject(err.name === 'AbortError' ? err : new Passing(err.message)));
  });
}

async function save(response, url, file, o, signal) {
  const hash = crypto.createHash('sha256');
  let got = 0;
  const meter = new Transform({
    transform(chunk, _, done) {
      got += chunk.length;
      if (got > o.bytes) {
        done(new Failure(codes.integrity, `downloading ${url}: it has more than ${o.bytes} bytes`));
        return;
      }
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(response, meter, fs.createWriteStream(file, { mode: 0o600 }), { signal });
  } catch (err) {
    if (err instanceof Failure || err.name === 'AbortError') throw err;
    if (err.code === 'ENOSPC' || err.code === 'EACCES') throw new Failure(codes.infra, `saving ${file}: ${err.message}`);
    throw new Passing(err.message);
  }
  const sum = hash.digest('hex');
  if (sum !== o.sha256) {
    throw new Failure(codes.integrity, `downloading ${url}: its SHA-256 is ${sum}, and ${o.sha256} is pinned`,
      'do not run it again before you know why: the release or the way to it was changed');
  }
}

module.exports = { download };
