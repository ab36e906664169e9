// Answers after as many milliseconds as it is asked for, and says when it begins and ends.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  const ms = Number(new URL(request.url, 'http://host').searchParams.get('ms') ?? 0);
  console.log(`${request.method} ${request.url} begins`);
  request.resume();
  setTimeout(() => {
    response.end('slow\n');
    console.log(`${request.method} ${request.url} ends`);
  }, ms);
});

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
