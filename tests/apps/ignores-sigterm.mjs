// Stays when asked to go.
import { createServer } from 'node:http';

process.on('SIGTERM', () => console.log('no, thank you'));
createServer((request, response) => response.end(String(process.pid))).listen(process.env.PORT);
