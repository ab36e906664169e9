const { createServer } = require('node:http');

const server = createServer((request, response) => {
  if (request.url !== '/') return response.end(`server.js sees ${request.url}\n`);
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.end('<!doctype html>\n<link rel="stylesheet" href="/style.css?v=3">\n<h1>A page of server.js</h1>\n');
});

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
