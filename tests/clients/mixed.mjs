// Mixed load on tests/apps/mixed.mjs with two workers; in the middle of it something happens to them.
//   node mixed.mjs URL FAULT SECONDS
// FAULT: none, kill-one, kill-both, stop-one (for six seconds). The outcome is JSON in the last line: for each kind how
// many were asked, fine and failed, how many were in flight at the fault, how many failures were not among those, how
// long the slowest took; and how long after the fault the service was whole again.
import { Agent, request as ask } from 'node:http';
import { createHash } from 'node:crypto';

const [url, fault, seconds] = process.argv.slice(2);
const UPLOAD = Buffer.alloc(3_000_000, 'hay');
const UPLOAD_SHA = createHash('sha256').update(UPLOAD).digest('hex');
const DOWNLOAD_BYTES = 6_000_000;
const STOPPED_MS = 6000;
/** What is not answered so long after the last request was sent is lost. */
const PATIENCE_MS = 12_000;

const agent = new Agent({ keepAlive: true });
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One exchange; resolves when the whole answer is there, rejects with what is missing. */
function exchange(method, path, body) {
  return new Promise((resolve, reject) => {
    let head;
    const fail = (why) => reject(Object.assign(new Error(`${method} ${path}: ${why}`), { begun: head?.statusCode === 200 }));
    const sent = ask(url + path, { method, agent, headers: body ? { 'Content-Length': body.length } : {} });
    sent.on('error', (error) => fail(error.code ?? error.message));
    sent.on('response', (response) => {
      head = response;
      let bytes = 0;
      const start = [];
      response.on('data', (part) => {
        bytes += part.length;
        if (start.length === 0) start.push(part);
      });
      response.on('error', (error) => fail(error.code ?? error.message));
      response.on('end', () => {
        if (!response.complete) return fail('incomplete');
        const text = start[0]?.toString() ?? '';
        if (response.statusCode !== 200) return fail(`${response.statusCode} ${text}`);
        resolve({ bytes, text });
      });
    });
    sent.end(body);
  });
}

function expect(seen, wanted) {
  // Worse than an error: something wrong that looks right.
  if (seen !== wanted) throw Object.assign(new Error(`got ${seen}, not ${wanted}`), { silent: true });
}

let posts = 0;
const kinds = {
  get: { clients: 6, pause: 10, once: () => exchange('GET', '/small') },
  slow: { clients: 6, pause: 0, once: async () => expect((await exchange('GET', '/slow?ms=300')).text, 'slow') },
  post: {
    clients: 4, pause: 10,
    async once() {
      const id = `p${++posts}`;
      try {
        expect((await exchange('POST', `/count?id=${id}`, Buffer.from('one more'))).text, id);
      } catch (error) {
        throw Object.assign(error, { id });
      }
    },
  },
  upload: { clients: 3, pause: 60, once: async () => expect((await exchange('POST', '/upload', UPLOAD)).text, UPLOAD_SHA) },
  download: {
    clients: 3, pause: 60,
    once: async () => expect((await exchange('GET', `/download?bytes=${DOWNLOAD_BYTES}`)).bytes, DOWNLOAD_BYTES),
  },
};

const outcome = { fault, victims: [], kinds: {}, failures: [] };
let running = true;
let faultAt;

async function client(kind, tally) {
  const { pause, once } = kinds[kind];
  while (running) {
    const one = { begun: performance.now(), atFault: false };
    tally.inFlight.add(one);
    tally.asked++;
    try {
      await once();
      tally.fine++;
    } catch (error) {
      tally.failed++;
      if (!one.atFault) tally.failedLater++;
      if (error.silent) tally.silent++;
      if (error.begun) tally.truncated++;
      const sentMs = Math.round(one.begun - faultAt);
      outcome.failures.push({ kind, id: error.id, why: error.message.trim(), sentMs, begun: Boolean(error.begun) });
    }
    tally.inFlight.delete(one);
    tally.slowestMs = Math.max(tally.slowestMs, Math.round(performance.now() - one.begun));
    await wait(pause);
  }
}

/** The pids of two workers, none of which is among `gone`. */
async function bothWorkers(gone) {
  const pids = new Set();
  while (pids.size < 2) {
    try {
      const pid = Number((await exchange('GET', '/small')).text);
      if (!gone.includes(pid)) pids.add(pid);
    } catch (error) {
      outcome.failures.push({ kind: 'probe', why: error.message });
    }
    await wait(2);
  }
  return [...pids];
}

async function happen() {
  const workers = await bothWorkers([]);
  await wait(1000);
  if (fault === 'none') return;
  outcome.victims = fault === 'kill-both' ? workers : workers.slice(0, 1);
  for (const tally of Object.values(outcome.kinds)) {
    tally.atFault = tally.inFlight.size;
    for (const one of tally.inFlight) one.atFault = true;
  }
  faultAt = performance.now();
  for (const pid of outcome.victims) process.kill(pid, fault === 'stop-one' ? 'SIGSTOP' : 'SIGKILL');
  if (fault === 'stop-one') {
    await wait(STOPPED_MS);
    for (const pid of outcome.victims) process.kill(pid, 'SIGCONT');
    return;
  }
  await bothWorkers(outcome.victims);
  const fifty = await Promise.allSettled(Array.from({ length: 50 }, () => exchange('GET', '/small')));
  outcome.wholeMs = Math.round(performance.now() - faultAt);
  outcome.fiftyFine = fifty.every(({ status }) => status === 'fulfilled');
}

const clients = [];
for (const kind of Object.keys(kinds)) {
  const tally = { asked: 0, fine: 0, failed: 0, failedLater: 0, truncated: 0, silent: 0, atFault: 0, slowestMs: 0 };
  Object.defineProperty(tally, 'inFlight', { value: new Set() });
  outcome.kinds[kind] = tally;
  for (let n = 0; n < kinds[kind].clients; n++) clients.push(client(kind, tally));
}
await Promise.all([happen(), wait(Number(seconds) * 1000)]);
running = false;
await Promise.race([Promise.all(clients), wait(PATIENCE_MS)]);
for (const tally of Object.values(outcome.kinds)) tally.unanswered = tally.inFlight.size;
outcome.postsAsked = posts;
console.log(JSON.stringify(outcome));
process.exit(0);
