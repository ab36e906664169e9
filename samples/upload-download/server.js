const { createServer } = require('node:http');
const { createHash } = require('node:crypto');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');

const block = Buffer.from('0123456789abcdef'.repeat(4096));

/** The given number of bytes, made block by block, only as fast as they are taken. */
function* generate(bytes) {
  for (; bytes > block.length; bytes -= block.length) yield block;
  yield block.subarray(0, bytes);
}

async function upload(request, response) {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    hash.update(part);
  }
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ bytes, sha256: hash.digest('hex') }) + '\n');
}

async function download(url, response) {
  const bytes = Number(url.searchParams.get('bytes') ?? 1_000_000);
  if (!url.searchParams.has('chunked')) response.setHeader('Content-Length', bytes);
  response.setHeader('Content-Type', 'application/octet-stream');
  await pipeline(Readable.from(generate(bytes)), response);
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://host');
  try {
    if (url.pathname === '/upload') await upload(request, response);
    else if (url.pathname === '/download') await download(url, response);
    else response.end('POST /upload, or GET /download?bytes=1000000, or /download?bytes=1000000&chunked\n');
  } catch (error) {
    console.log(`${request.method} ${request.url} ended early: ${error.message}`);
    response.destroy();
  }
});

// An upload may take as long as it needs; the host watches its progress.
server.requestTimeout = 0;
server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
