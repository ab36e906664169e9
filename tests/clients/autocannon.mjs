// A short, bounded burst.
//   node autocannon.mjs URL REQUESTS PIPELINING
import autocannon from 'autocannon';

const [url, amount, pipelining] = process.argv.slice(2);
const result = await autocannon({ url, amount: Number(amount), connections: 10, pipelining: Number(pipelining) });
const { errors, timeouts, mismatches, non2xx } = result;
console.log(JSON.stringify({ ok: result['2xx'], errors, timeouts, mismatches, non2xx }));
