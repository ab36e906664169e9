import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';

// Awaited before the application listens: requests that come earlier wait for it.
const greeting = await readFile('greeting.txt', 'utf8');

const server = createServer((request, response) => response.end(greeting));

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
