// Writes to both outputs, in whole lines and in parts.
import { createServer } from 'node:http';

process.stdout.write('starting up\n');
process.stderr.write('a word of warning\n');

const server = createServer((request, response) => {
  process.stdout.write('half a line, ');
  setTimeout(() => {
    process.stdout.write(`and the rest for ${request.url}\n`);
    response.end('said\n');
  }, 50);
});

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
