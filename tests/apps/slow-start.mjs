// Listens only after a while.
import { createServer } from 'node:http';

const server = createServer((request, response) => response.end('at last\n'));
setTimeout(() => server.listen(process.env.PORT), 700);
process.on('SIGTERM', () => process.exit(0));
