const server = require('node:http').createServer((request, response) => {
  console.log(`process ${process.pid} answers ${request.method} ${request.url}`);
  response.end(`process ${process.pid}\n`);
});

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
