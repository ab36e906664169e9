const server = require('node:http').createServer((request, response) => {
  response.end(`Hello from worker ${process.env.OSTLER_WORKER}\n`);
});

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
