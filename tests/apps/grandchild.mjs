// Starts a process of its own that holds on to the output, ignores SIGTERM and outlives it.
import { createServer } from 'node:http';
import { spawn } from 'node:child_process';

const grandchild = spawn('sh', ['-c', 'trap "" TERM; for second in $(seq 120); do sleep 1; done'], { stdio: 'inherit' });

const server = createServer((request, response) => response.end(String(grandchild.pid)));
server.listen(process.env.PORT);
process.on('SIGTERM', () => process.exit(0));
