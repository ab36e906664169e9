const version = 'version 1';

const server = require('node:http').createServer((request, response) => {
  response.end(`This is ${version}\n`);
});

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
