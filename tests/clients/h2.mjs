// HTTP/2 by prior knowledge with Node's own client: one scenario per run, its outcome as JSON in the last line.
//   node h2.mjs SCENARIO URL
import { connect, constants } from 'node:http2';
import { once } from 'node:events';

const [scenario, url] = process.argv.slice(2);
const session = connect(url);
session.on('error', () => {});

/** Sends a request and collects everything that comes back. */
async function ask(headers, { body, trailers } = {}) {
  const stream = session.request(headers, { waitForTrailers: Boolean(trailers), endStream: body === undefined });
  const answer = { body: '', trailers: {}, informational: [] };
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.on('headers', (head) => answer.informational.push(head[':status']));
  stream.on('response', (head) => Object.assign(answer, { status: head[':status'], headers: head }));
  stream.on('trailers', (fields) => (answer.trailers = fields));
  stream.setEncoding('utf8');
  stream.on('data', (part) => (answer.body += part));
  if (body !== undefined) stream.end(body);
  try {
    await once(stream, 'close');
  } catch (error) {
    answer.error = error.code;
  }
  answer.reset = stream.rstCode;
  return answer;
}

const scenarios = {
  async get() {
    return ask({ ':path': '/' });
  },
  async trailers() {
    return ask({ ':path': '/', ':method': 'POST', trailer: 'x-sum' }, { body: 'hello', trailers: { 'x-sum': '5' } });
  },
  async crumbs() {
    return ask({ ':path': '/', cookie: ['a=1', 'b=2', 'c=3'] });
  },
  async contradiction() {
    return ask({ ':path': '/', ':authority': 'one.test', host: 'two.test' });
  },
  async parallel() {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => ask({ ':path': `/${n}` })));
    return { statuses: [...new Set(answers.map((answer) => answer.status))], count: answers.length };
  },
  // CVE-2023-44487: streams opened and reset as fast as they can be written.
  async reset() {
    let refused = 0;
    for (let round = 0; round < 200 && !session.destroyed; round++) {
      for (let n = 0; n < 50 && !session.destroyed; n++) {
        const stream = session.request({ ':path': '/' });
        stream.on('error', () => refused++);
        stream.close(constants.NGHTTP2_CANCEL);
      }
      await new Promise(setImmediate);
    }
    return { destroyed: session.destroyed, refused };
  },
  // The server must not take the leave of one stream for the leave of all.
  async cancel() {
    const stream = session.request({ ':path': '/?seconds=30' });
    await once(stream, 'data');
    stream.close(constants.NGHTTP2_CANCEL);
    return ask({ ':path': '/?seconds=0' });
  },
};

const outcome = await scenarios[scenario]();
console.log(JSON.stringify(outcome));
session.destroy();
