// Requires lodash; minimist and ws are installed and never required.
const http = require('node:http');
const { startCase } = require('lodash');

http.createServer((request, response) => {
  response.end(startCase('hello from ' + request.url) + '\n');
}).listen(8080, '0.0.0.0');
