const { createServer } = require('node:http');
const { createReadStream } = require('node:fs');
const { WebSocketServer } = require('ws');

const server = createServer((request, response) => {
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  createReadStream(`${__dirname}/index.html`).pipe(response);
});

const sockets = new WebSocketServer({ server });

sockets.on('connection', (socket) => {
  socket.send(`worker ${process.env.OSTLER_WORKER}`);
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});

server.listen(process.env.PORT);

process.on('SIGTERM', () => {
  server.close();
  for (const socket of sockets.clients) socket.close(1001, 'the worker is stopping');
});
