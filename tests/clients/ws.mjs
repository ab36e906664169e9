// The `ws` client against an echo: greeting, text, bytes, a large message, ping, and the closing handshake.
//   node ws.mjs URL
import { once } from 'node:events';
import WebSocket from 'ws';

const [url] = process.argv.slice(2);
const socket = new WebSocket(url.replace(/^http/, 'ws'), { perMessageDeflate: false });
const [greeting] = await once(socket, 'message');

async function echo(data) {
  socket.send(data);
  const [back, isBinary] = await once(socket, 'message');
  return { back, isBinary };
}

const text = await echo('hello');
const bytes = await echo(Buffer.from([0, 255, 10, 13]));
const large = await echo(Buffer.alloc(3_000_000, 'x'));
socket.ping('beat');
const [pong] = await once(socket, 'pong');
socket.close(4001, 'done');
const [code, reason] = await once(socket, 'close');

console.log(JSON.stringify({
  greeting: greeting.toString(), text: text.back.toString(), bytes: [...bytes.back], large: large.back.length,
  pong: pong.toString(), code, reason: reason.toString(),
}));
