const http = require('http');
const { greeting } = require('./greeting.json');

http.createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json');
  response.setHeader('X-Process', process.pid);
  response.end(JSON.stringify({ greeting, url: request.url }) + '\n');
}).listen(process.env.PORT);
