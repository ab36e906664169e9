const server = require('node:http').createServer((request, response) => {
  response.end(`Hello! You asked for ${request.url}\n`);
});

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
