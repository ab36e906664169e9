// Writes 20 MB before it answers, waiting for every byte to be taken.
import { createServer } from 'node:http';
import { writeSync } from 'node:fs';

const line = 'x'.repeat(99) + '\n';

function flood(fd) {
  const block = Buffer.from(line.repeat(1000));
  for (let round = 0; round < 100; round++) {
    for (let at = 0; at < block.length;) {
      try {
        at += writeSync(fd, block, at);
      } catch (error) {
        if (error.code !== 'EAGAIN') throw error;
      }
    }
  }
}

const server = createServer((request, response) => {
  flood(1);
  flood(2);
  response.end('wrote it all\n');
});

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
