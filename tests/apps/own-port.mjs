// Listens on a TCP port of its own choice and never reads PORT.
import { createServer } from 'node:http';

const server = createServer((request, response) => response.end('here\n'));
server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
