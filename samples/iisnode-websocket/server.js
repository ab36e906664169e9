const { createServer } = require('node:http');
const { WebSocketServer } = require('ws');

const server = createServer((request, response) => {
  response.writeHead(426, { Upgrade: 'websocket' });
  response.end('Ask for a WebSocket here\n');
});

const sockets = new WebSocketServer({ server });

sockets.on('connection', (socket) => {
  socket.send(`process ${process.pid}`);
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});

server.listen(process.env.PORT);

process.on('SIGTERM', () => {
  server.close();
  for (const socket of sockets.clients) socket.close(1001, 'the worker is stopping');
});
