// The way through a proxy, as https_proxy and no_proxy name it: Node does not
// look at them by itself. TLS is spoken with the server, not with the proxy.
'use strict';

const http = require('http');
const https = require('https');
const net = require('net');
const tls = require('tls');

// proxyOf gives the proxy for a URL, if there is one.
function proxyOf(url, env) {
  const named = env.https_proxy || env.HTTPS_PROXY;
  if (!named) return undefined;
  const host = url.hostname.toLowerCase();
  for (const entry of (env.no_proxy || env.NO_PROXY || '').toLowerCase().split(/[\s,]+/)) {
    const [name, port] = entry.replace(/^\*?\./, '').split(':');
    if (entry === '*' || (name && (host === name || host.endsWith(`.${name}`)) && (!port || port === (url.port || '443')))) return undefined;
  }
  try {
    return new URL(named.includes('://') ? named : `http://${named}`);
  } catch {
    throw new Error('https_proxy is no address');
  }
}

// tunnel gives a socket to the URL's host through the proxy.
function tunnel(proxy, url, { signal, idle }) {
  return new Promise((resolve, reject) => {
    const authority = `${url.hostname}:${url.port || 443}`;
    const headers = { Host: authority };
    if (proxy.username) {
      const login = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
      headers['Proxy-Authorization'] = `Basic ${Buffer.from(login).toString('base64')}`;
    }
    const request = (proxy.protocol === 'https:' ? https : http).request({
      host: proxy.hostname, port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80), method: 'CONNECT', path: authority, headers, signal, agent: false,
    });
    request.setTimeout(idle, () => request.destroy(new Error(`nothing came for ${idle / 1000} s`)));
    request.on('error', (err) => reject(err.name === 'AbortError' ? err : new Error(`proxy ${proxy.host}: ${err.message}`)));
    request.on('connect', (response, socket) => {
      if (response.statusCode === 200) {
        resolve(socket);
      } else {
        socket.destroy();
        reject(new Error(`proxy ${proxy.host} answers ${response.statusCode}`));
      }
    });
    request.on('response', (response) => {
      response.destroy();
      reject(new Error(`proxy ${proxy.host} answers ${response.statusCode}`));
    });
    request.end();
  });
}

// through gives what https.get needs to go through the tunnel.
function through(socket, url, ca) {
  return {
    // An agent would make a connection of its own.
    createConnection: () => tls.connect({ socket, ca, host: url.hostname, servername: net.isIP(url.hostname) ? undefined : url.hostname }),
  };
}

module.exports = { proxyOf, tunnel, through };
