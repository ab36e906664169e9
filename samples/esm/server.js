import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';

// Awaited before the application listens: no request is given to a worker that is not ready yet.
const greeting = await readFile(new URL('greeting.txt', import.meta.url), 'utf8');

const server = createServer((request, response) => response.end(greeting));

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
