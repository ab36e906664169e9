// An ASP.NET Core application as its module sees it, without .NET: it listens where ASPNETCORE_PORT says, refuses whoever
// does not know its pairing token, and ends when it is asked to. It notes what happens to it in `notes.log`.
//
// Variables change how it acts: ACTS is a list of words, START_DELAY and SHUTDOWN_DELAY are milliseconds, WS is the path of
// the package `ws` for those who want WebSockets.
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';

const { ASPNETCORE_PORT: port, ASPNETCORE_TOKEN: token, ASPNETCORE_APPL_PATH: path } = process.env;
const paired = Boolean(port && token && path);
const base = path === '/' ? '' : path ?? '';
const acts = new Set((process.env.ACTS ?? '').split(' '));
const requests = { active: 0, waiting: 0, aborted: 0 };
let ending = false;
let sockets;

const note = (text) => appendFileSync('notes.log', `${process.pid} ${text}\n`);
note('started');

/** Lets requests finish and tells open sockets, then ends, not before its delay. */
function shutdown() {
  if (ending) return;
  ending = true;
  server.close();
  for (const socket of sockets?.clients ?? []) socket.close(1001, 'going away');
  const delay = Math.max(Number(process.env.SHUTDOWN_DELAY ?? 0), sockets?.clients.size ? 300 : 0);
  setTimeout(() => setInterval(() => {
    if (requests.active > 0) return;
    note('ended');
    process.exit();
  }, 5), delay);
}

process.on('SIGTERM', () => {
  note('sigterm');
  if (!acts.has('ignores-sigterm')) shutdown();
});

const pathOf = (url) => {
  const whole = url.split('?')[0];
  const isBelow = `${whole}/`.toLowerCase().startsWith(`${base}/`.toLowerCase());
  return isBelow ? whole.slice(base.length) || '/' : whole;
};
const queryOf = (url) => decodeURIComponent(url.split('?').slice(1).join('?'));
const later = (milliseconds) => new Promise((done) => { setTimeout(done, Number(milliseconds)); });
const gzipped = gzipSync('an ostler tends horses '.repeat(500));

const pages = {
  '/pid': (q, r) => r.end(String(process.pid)),
  '/port': (q, r) => r.end(String(server.address().port)),
  '/address': (q, r) => r.end(server.address().address),
  '/cwd': (q, r) => r.end(process.cwd()),
  '/arguments': (q, r) => r.end(JSON.stringify(process.argv.slice(1))),
  '/environment': (q, r) => r.end(JSON.stringify(process.env)),
  '/request': (q, r) => r.end(JSON.stringify({ method: q.method, url: q.url, version: q.httpVersion, fields: q.rawHeaders, headers: q.headers })),
  '/base': (q, r) => r.end(JSON.stringify([q.url.slice(0, base.length), pathOf(q.url)])),
  '/sleep': async (q, r, query) => { await later(query); r.end(`slept ${process.pid}`); },
  '/echo': (q, r) => { r.setHeader('X-Framing', q.headers['transfer-encoding'] ?? q.headers['content-length'] ?? 'none'); q.pipe(r); },
  '/partial': (q, r) => q.once('data', (part) => { q.pause(); r.end(part.subarray(0, 4)); }),
  '/turns': async (q, r) => { for await (const part of q) r.write(`got ${part};`); r.end('done'); },
  '/drip': async (q, r, query) => {
    const [count, pause] = query.split(',').map(Number);
    for (let n = 0; n < count; n++) { r.write(`drop ${n};`); await later(pause); }
    r.end();
  },
  '/hang': (q, r) => {
    requests.waiting += 1;
    r.on('close', () => { requests.waiting -= 1; requests.aborted += 1; });
    if (queryOf(q.url) === 'begun') r.write('begun');
  },
  '/counts': (q, r) => r.end(JSON.stringify(requests)),
  '/gzip': (q, r, query) => query ? r.end(gzipped.toString('hex')) : r.setHeader('Content-Encoding', 'gzip').end(gzipped),
  '/status': (q, r, query) => {
    const [status, reason, body] = query.split(',');
    if (reason) r.writeHead(Number(status), reason); else r.writeHead(Number(status));
    r.end(body);
  },
  '/server': (q, r, query) => r.setHeader('Server', query).end(),
  '/repeats': (q, r) => r.setHeader('Set-Cookie', ['a=1', 'b=2']).setHeader('X-Unknown', ['1', '2']).setHeader('Location', '/elsewhere').end(),
  '/closes': (q, r) => r.setHeader('Connection', 'close').end('closing'),
  '/print': (q, r, query) => { console.log(`out ${query}`); console.error(`err ${query}`); r.end(); },
  '/abort': (q, r, query) => {
    if (query !== 'part') return q.socket.destroy();
    r.setHeader('Content-Length', 100);
    r.write('the beginning', () => setTimeout(() => q.socket.destroy(), 50));
  },
  '/nonsense': (q) => q.socket.end('good morning to you\r\n\r\n'),
  '/kill': () => process.kill(process.pid, 'SIGKILL'),
  '/exit': () => process.exit(3),
};

function knows(q) {
  return !paired || q.headers['ms-aspnetcore-token'] === token;
}

const server = createServer(async (q, r) => {
  requests.active += 1;
  r.on('close', () => { requests.active -= 1; });
  r.setHeader('X-Pid', process.pid);
  if (!knows(q)) {
    r.statusCode = 400;
    return r.end('who asks?');
  }
  const event = String(q.headers['ms-aspnetcore-event'] ?? '').toLowerCase();
  if (paired && q.method === 'POST' && pathOf(q.url) === '/iisintegration' && event === 'shutdown') {
    note('message');
    if (!acts.has('ignores-message')) {
      r.statusCode = 202;
      r.end();
      return shutdown();
    }
    return r.end('noted');
  }
  const page = pages[pathOf(q.url)];
  if (page) return page(q, r, queryOf(q.url));
  // Whatever else is asked for is shown as it came.
  r.end(q.url);
});
server.keepAliveTimeout = 60_000;

if (process.env.WS) {
  const { WebSocketServer } = createRequire(import.meta.url)(process.env.WS);
  sockets = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  server.on('upgrade', (q, socket, head) => {
    const refuse = (line) => socket.end(`HTTP/1.1 ${line}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno`);
    if (!knows(q)) return refuse('400 Bad Request');
    if (pathOf(q.url) !== '/ws') return refuse('403 Forbidden');
    sockets.handleUpgrade(q, socket, head, (client) => client.on('message', (data, binary) => {
      const text = String(data);
      if (text.startsWith('close ')) return client.close(4001, text.slice(6));
      if (text === 'pid') return client.send(String(process.pid));
      client.send(data, { binary });
    }));
  });
}

if (acts.has('prints-much')) {
  for (let n = 0; n < 400; n++) process.stdout.write(`line ${String(n).padStart(4, '0')} ${'x'.repeat(89)}\n`);
}
if (acts.has('says-why')) console.error(process.env.SAYS ?? 'the database is asleep');
if (acts.has('exits')) {
  process.exitCode = 7;
} else if (acts.has('never-listens')) {
  setInterval(() => {}, 1000);
} else {
  const listen = () => server.listen(acts.has('elsewhere') || !paired ? 0 : Number(port), '127.0.0.1', () => {
    note(`listens ${server.address().port}`);
    if (!paired) console.log(server.address().port);
  });
  setTimeout(listen, Number(process.env.START_DELAY ?? 0));
}
