const { createServer } = require('node:http');
const { createReadStream } = require('node:fs');

const listeners = new Set();

function events(response) {
  let count = 0;
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const timer = setInterval(() => response.write(`id: ${count}\ndata: tick ${count++}\n\n`), 100);

  listeners.add(response);
  response.on('close', () => {
    clearInterval(timer);
    listeners.delete(response);
    console.log(`a listener left after ${count} events`);
  });
}

const server = createServer((request, response) => {
  if (request.url === '/events') return events(response);
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  createReadStream(`${__dirname}/index.html`).pipe(response);
});

server.listen(process.env.PORT);

process.on('SIGTERM', () => {
  server.close();
  for (const response of listeners) response.end();
});
