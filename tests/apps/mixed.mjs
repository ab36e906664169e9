// A little of everything: small answers, slow ones, POSTs that are counted, uploads and downloads of some megabytes.
import { createServer } from 'node:http';
import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';

const BLOCK = Buffer.alloc(64 * 1024, 'ostler');
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function* blocks(bytes) {
  for (let left = bytes; left > 0; left -= BLOCK.length) yield BLOCK.subarray(0, Math.min(left, BLOCK.length));
}

const answers = {
  async 'GET /small'(request, response) {
    response.end(String(process.pid));
  },
  async 'GET /slow'(request, response, { ms }) {
    await wait(Number(ms));
    response.end('slow');
  },
  async 'POST /count'(request, response, { id }) {
    for await (const _ of request);
    console.log(`counted ${id} by ${process.pid}`);
    await wait(20);
    response.end(id);
  },
  async 'POST /upload'(request, response) {
    const hash = createHash('sha256');
    for await (const part of request) hash.update(part);
    response.end(hash.digest('hex'));
  },
  async 'GET /download'(request, response, { bytes }) {
    response.setHeader('Content-Length', bytes);
    await pipeline(Readable.from(blocks(Number(bytes))), response);
  },
};

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://host');
  try {
    await answers[`${request.method} ${url.pathname}`](request, response, Object.fromEntries(url.searchParams));
  } catch {
    // The client, or the test, has ended it.
    response.destroy();
  }
});

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
