const { createServer } = require('node:http');
const { createReadStream } = require('node:fs');
const { Server } = require('socket.io');

const server = createServer((request, response) => {
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  createReadStream(`${__dirname}/index.html`).pipe(response);
});

const io = new Server(server);

io.on('connection', (socket) => {
  socket.emit('worker', process.env.OSTLER_WORKER);
  socket.on('say', (text, answer) => answer(text));
});

server.listen(process.env.PORT);
process.on('SIGTERM', () => io.close());
