// The `ws` client against an echo: a thousand messages at once, then the close from one side or the other.
//   node ws-thousand.mjs URL deflate|plain client|server
import { once } from 'node:events';
import WebSocket from 'ws';

const [url, compression, closer] = process.argv.slice(2);
const options = { perMessageDeflate: compression === 'deflate' && { threshold: 0 } };
const socket = new WebSocket(url.replace(/^http/, 'ws'), options);
await once(socket, 'open');

let echoed = 0;
const all = new Promise((done) => {
  socket.on('message', (data) => {
    if (data.toString() !== `message ${echoed} ${'x'.repeat(echoed)}`) throw new Error(`not in order: ${data}`);
    if (++echoed === 1000) done();
  });
});
for (let n = 0; n < 1000; n++) socket.send(`message ${n} ${'x'.repeat(n)}`);
await all;

if (closer === 'server') socket.send('close');
else socket.close(4001, 'done');
const [code] = await once(socket, 'close');
console.log(JSON.stringify({ echoed, extensions: socket.extensions, code }));
