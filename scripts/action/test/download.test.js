'use strict';

const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { after, before, beforeEach, test } = require('node:test');

const { find } = require('../lib/binary');

const body = crypto.randomBytes(300_000);
const sha256 = crypto.createHash('sha256').update(body).digest('hex');

let server; // speaks https, as the test tells it to
let plain; // speaks http
let dir;
let ca;
let answer;
let asked;

const listen = (s) => new Promise((resolve) => { s.listen(0, '127.0.0.1', resolve); });

before(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'vexxy-shim-test-'));
  const key = path.join(dir, 'key.pem');
  const cert = path.join(dir, 'cert.pem');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'pipe' });
  ca = fs.readFileSync(cert);
  server = https.createServer({ key: fs.readFileSync(key), cert: ca }, (q, r) => { asked.push(q.url); answer(q, r); });
  plain = http.createServer((q, r) => { asked.push(`plain ${q.url}`); r.end(body); });
  await Promise.all([listen(server), listen(plain)]);
});

after(() => {
  for (const s of [server, plain]) { s.closeAllConnections(); s.close(); }
  fs.rmSync(dir, { recursive: true, force: true });
});

beforeEach(() => { asked = []; answer = (q, r) => r.end(body); });

const address = (s, scheme) => `${scheme}://127.0.0.1:${s.address().port}/`;

// get finds the binary of a release that the server has.
function get(pin = {}, options = {}, env = {}) {
  const temp = fs.mkdtempSync(path.join(dir, 'temp-'));
  const pins = { version: 'v1.2.3', base: address(server, 'https'), files: { 'linux-x64': { name: 'vexxy_linux_amd64', sha256, bytes: body.length, ...pin } } };
  const o = { platform: 'linux', arch: 'x64', ca, pause: 5, ...options };
  return { temp, found: find({ RUNNER_TEMP: temp, ...env }, pins, o) };
}

// fails holds a download that must not give a binary.
async function fails(got, code, says) {
  await assert.rejects(got.found, (err) => {
    assert.strictEqual(err.code, code, err.stack);
    assert.match(err.message, says);
    return true;
  });
  assert.deepStrictEqual(fs.readdirSync(got.temp), [], 'something was left behind');
}

test('a release is downloaded, checked and can be run', async () => {
  const { temp, found } = get();
  const got = await found;
  assert.deepStrictEqual(fs.readFileSync(got.path), body);
  assert.strictEqual(fs.statSync(got.path).mode & 0o777, 0o755);
  assert.strictEqual(fs.statSync(got.dir).mode & 0o777, 0o700);
  assert.strictEqual(path.dirname(got.dir), temp);
  assert.deepStrictEqual(asked, ['/v1.2.3/vexxy_linux_amd64']);
});

test('redirects are followed over https', async () => {
  answer = (q, r) => {
    const next = { '/v1.2.3/vexxy_linux_amd64': '/a', '/a': `${address(server, 'https')}b` }[q.url];
    if (next) r.writeHead(302, { Location: next }).end(); else r.end(body);
  };
  const got = await get().found;
  assert.deepStrictEqual(fs.readFileSync(got.path), body);
  assert.strictEqual(asked.length, 3);
});

test('a redirect away from https is refused', async () => {
  answer = (q, r) => r.writeHead(302, { Location: `${address(plain, 'http')}x` }).end();
  await fails(get(), 6, /not https/);
  assert.deepStrictEqual(asked, ['/v1.2.3/vexxy_linux_amd64'], 'the other server was asked');
});

test('redirects end', async () => {
  answer = (q, r) => r.writeHead(302, { Location: `${q.url}x` }).end();
  await fails(get(), 5, /more than 5 redirects/);
  answer = (q, r) => r.writeHead(302, { Location: 'https://[' }).end();
  await fails(get(), 5, /leads to no address/);
});

test('other bytes are an integrity failure, and are not tried again', async () => {
  const other = Buffer.from(body);
  other[1000] ^= 1;
  answer = (q, r) => r.end(other);
  await fails(get(), 6, new RegExp(`${sha256} is pinned`));
  assert.strictEqual(asked.length, 1);
});

test('more bytes than are pinned are not read', async () => {
  let sent = 0;
  answer = (q, r) => {
    const more = () => { while (!r.destroyed && r.write(body)) sent += body.length; };
    r.on('drain', more);
    more();
  };
  await fails(get(), 6, /more than 300000 bytes/);
  assert.ok(sent < 64 << 20, `${sent} bytes were taken`);
});

test('fewer bytes are not the binary', async () => {
  answer = (q, r) => { r.writeHead(200, { 'Content-Length': body.length }); r.write(body.subarray(0, 1000), () => r.destroy()); };
  await fails(get(), 5, /downloading/);
  assert.strictEqual(asked.length, 4);
});

test('what may pass is tried again', async () => {
  const turns = [(q, r) => r.writeHead(503).end(), (q, r) => r.destroy(), (q, r) => r.writeHead(429).end(), (q, r) => r.end(body)];
  answer = (q, r) => turns.shift()(q, r);
  const got = await get().found;
  assert.deepStrictEqual(fs.readFileSync(got.path), body);
  assert.strictEqual(asked.length, 4);
});

test('what does not pass is not tried again', async () => {
  answer = (q, r) => r.writeHead(404).end();
  await fails(get(), 5, /answers 404/);
  assert.strictEqual(asked.length, 1);
});

test('a server that says nothing is given up', async () => {
  answer = () => {};
  await fails(get({}, { idle: 50, tries: 2 }), 5, /nothing came/);
  await fails(get({}, { total: 100 }), 5, /not done after 0.1 s/);
  answer = (q, r) => { r.write('x'); };
  await fails(get({}, { total: 100 }), 5, /not done after 0.1 s/);
});

// proxy starts a proxy that asks for a login, and lists where it was asked to.
async function proxy(t, login = '') {
  const to = [];
  const sockets = new Set();
  const s = http.createServer();
  s.on('connect', (q, socket) => {
    to.push(q.url);
    sockets.add(socket);
    socket.on('error', () => {});
    const want = login && `Basic ${Buffer.from(login).toString('base64')}`;
    if (want && q.headers['proxy-authorization'] !== want) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const [host, port] = q.url.split(':');
    const out = net.connect(port, host, () => { socket.write('HTTP/1.1 200 OK\r\n\r\n'); out.pipe(socket); socket.pipe(out); });
    out.on('error', () => socket.destroy());
  });
  await listen(s);
  t.after(() => { for (const socket of sockets) socket.destroy(); s.close(); });
  return { to, host: `127.0.0.1:${s.address().port}` };
}

test('a proxy is used, and TLS is spoken through it', async (t) => {
  const p = await proxy(t, 'me:p@ss');
  const got = await get({}, {}, { https_proxy: `http://me:p%40ss@${p.host}` }).found;
  assert.deepStrictEqual(fs.readFileSync(got.path), body);
  assert.deepStrictEqual(p.to, [`127.0.0.1:${server.address().port}`]);
  // Its certificate is the server's to show.
  await fails(get({}, { ca: undefined, tries: 1 }, { HTTPS_PROXY: `http://me:p%40ss@${p.host}` }), 5, /self.signed/);
  const denied = get({}, { tries: 1 }, { https_proxy: p.host });
  await fails(denied, 5, /proxy 127\.0\.0\.1:\d+ answers 407/);
});

test('no_proxy goes past the proxy', async (t) => {
  const p = await proxy(t);
  for (const no of ['127.0.0.1', '*', `x, 127.0.0.1:${server.address().port}`]) {
    await get({}, {}, { https_proxy: p.host, no_proxy: no }).found;
    assert.deepStrictEqual(p.to, [], no);
  }
  for (const no of ['', '27.0.0.1', '127.0.0.1:1', 'example']) {
    await get({}, {}, { https_proxy: p.host, NO_PROXY: no }).found;
    assert.strictEqual(p.to.length, 1, no);
    p.to.length = 0;
  }
});

test('a proxy that is none is said', async () => {
  await fails(get({}, { tries: 1 }, { https_proxy: 'http://127.0.0.1:1' }), 5, /proxy 127\.0\.0\.1:1: /);
  await fails(get({}, { tries: 1 }, { https_proxy: 'http://[' }), 5, /https_proxy is no address/);
  const silent = net.createServer(() => {});
  await listen(silent);
  await fails(get({}, { tries: 1, idle: 50 }, { https_proxy: `127.0.0.1:${silent.address().port}` }), 5, /nothing came/);
  silent.close();
});

test('an unknown certificate is refused', async () => {
  await fails(get({}, { ca: undefined, tries: 1 }), 5, /self.signed/);
  assert.deepStrictEqual(asked, []);
});

test('a bad pin is refused before anything is asked', async () => {
  await fails(get({ sha256: '' }), 6, /no SHA-256/);
  assert.deepStrictEqual(asked, []);
});

test('without a release or a binary for this machine it says what to do', async () => {
  const none = find({}, { version: '', files: {} });
  await assert.rejects(none, (err) => err.code === 3 && /no pinned release/.test(err.message) && /input binary/.test(err.hint));
  for (const arch of ['arm64', '__proto__', 'constructor']) {
    await fails(get({}, { arch }), 5, /has no binary for linux-/);
  }
});

test('the pins of this commit are whole', () => {
  const pins = require('../pins.json');
  assert.match(pins.base, /^https:\/\/github\.com\/vexxy\/action\/releases\/download\/$/);
  assert.match(pins.version, /^(|v\d+\.\d+\.\d+)$/);
  if (pins.version) assert.deepStrictEqual(Object.keys(pins.files).sort(), ['linux-arm64', 'linux-x64']);
  for (const pin of Object.values(pins.files)) {
    assert.match(pin.sha256, /^[0-9a-f]{64}$/);
    assert.match(pin.name, /^[a-z0-9_.-]+$/);
    assert.ok(pin.bytes > 0);
  }
});
