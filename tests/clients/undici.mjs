// undici against a whoami application: keep-alive, pipelining, bodies of both framings.
//   node undici.mjs URL
import { Agent, Pool, request } from 'undici';

const [url] = process.argv.slice(2);
const pool = new Pool(url, { connections: 4, pipelining: 4 });
const ask = async (options) => {
  const { statusCode, body } = await pool.request({ path: '/', method: 'GET', ...options });
  return { status: statusCode, answer: await body.json() };
};

const gets = await Promise.all(Array.from({ length: 200 }, (_, n) => ask({ path: `/${n}` })));
const inOrder = gets.every(({ status, answer }, n) => status === 200 && answer.url === `/${n}`);
const length = await ask({ method: 'POST', body: Buffer.alloc(1_000_000) });
const chunked = await ask({
  method: 'PUT',
  body: (async function* () {
    for (let n = 0; n < 100; n++) yield Buffer.alloc(10_000);
  })(),
});
await pool.close();

// And as fetch does it, one connection after another.
const single = await request(url, { dispatcher: new Agent({ pipelining: 0 }) });
await single.body.dump();

console.log(JSON.stringify({
  inOrder, length: length.answer.bytes, chunked: chunked.answer.bytes, single: single.statusCode,
}));
process.exit(0);
