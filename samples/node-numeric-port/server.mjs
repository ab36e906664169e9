// A server that takes its port from the command line, as a number.
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { port: { type: 'string' } } });
const port = Number(values.port);
createServer((request, response) => {
  if (request.url === '/ready') return response.end();
  response.end(`${process.env.GREETING} from ${Number.isInteger(port) ? 'a port number' : 'nowhere'}!\n`);
}).listen(port, '127.0.0.1');
