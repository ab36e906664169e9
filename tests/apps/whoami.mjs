// Says who answers: slot, pid, the address it was given, and what it was asked.
import { createServer } from 'node:http';

const server = createServer(async (request, response) => {
  let bytes = 0;
  for await (const part of request) bytes += part.length;
  const { pid, env } = process;
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({
    slot: Number(env.OSTLER_WORKER), pid, port: env.PORT, method: request.method, url: request.url,
    host: request.headers.host, cookie: request.headers.cookie, bytes,
  }));
});

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
