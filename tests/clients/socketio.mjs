// socket.io clients that keep cookies, as a browser does: so many of them, by one transport each or by both.
//   node socketio.mjs URL CLIENTS TRANSPORTS
import { io } from 'socket.io-client';

const [url, clients, transports] = process.argv.slice(2);

function once(socket, event) {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve);
    socket.once('connect_error', reject);
    socket.once('disconnect', (reason) => reject(new Error(`disconnected: ${reason}`)));
  });
}

/** The worker a client meets, after an exchange of messages and, where both transports are allowed, an upgrade. */
async function meet(name) {
  const socket = io(url, {
    transports: transports.split(','), withCredentials: true, forceNew: true, reconnection: false, timeout: 10_000,
  });
  const worker = await once(socket, 'worker');
  const { engine } = socket.io;
  if (transports === 'polling,websocket' && engine.transport.name !== 'websocket') {
    await new Promise((resolve) => engine.once('upgrade', resolve));
  }
  for (let n = 0; n < 5; n++) {
    const answer = await socket.timeout(10_000).emitWithAck('say', `${name}.${n}`);
    if (answer !== `${name}.${n}`) throw new Error(`got ${answer}`);
  }
  const transport = engine.transport.name;
  socket.removeAllListeners('disconnect').close();
  return { worker, transport };
}

const met = await Promise.all(Array.from({ length: Number(clients) }, (_, n) => meet(`client ${n}`)));
console.log(JSON.stringify({
  clients: met.length,
  workers: [...new Set(met.map(({ worker }) => worker))].sort(),
  transports: [...new Set(met.map(({ transport }) => transport))].sort(),
}));
process.exit(0);
