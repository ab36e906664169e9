// Streams for ever, or for as many seconds as `?seconds=` says, and talks about who left.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  const seconds = Number(new URL(request.url, 'http://host').searchParams.get('seconds') ?? 3600);
  response.writeHead(200);
  response.write('begun\n');
  const timer = setInterval(() => response.write('.'), 20);
  setTimeout(() => response.end('\ndone\n'), seconds * 1000);
  response.on('close', () => clearInterval(timer));
});

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
