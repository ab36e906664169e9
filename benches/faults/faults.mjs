// For each fault a fresh host with two Node workers, mixed load for some seconds, and a table of what was lost.
//   node faults.mjs OSTLER [FAULT]...
// The load and the faults are those of the tests: tests/clients/mixed.mjs on tests/apps/mixed.mjs.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [ostler, ...chosen] = process.argv.slice(2);
const faults = chosen.length ? chosen : ['none', 'kill-one', 'kill-both', 'stop-one'];
const tests = fileURLToPath(new URL('../../tests/', import.meta.url));
const SECONDS = '4';

const site = mkdtempSync(join(tmpdir(), 'ostler-faults.'));
cpSync(join(tests, 'apps/mixed.mjs'), join(site, 'app.mjs'));
writeFileSync(join(site, 'package.json'), '{ "main": "app.mjs" }');
process.on('exit', () => rmSync(site, { recursive: true, force: true }));

/** A host whose two workers are ready, its URL, and the POSTs its workers say they counted. */
async function start() {
  const host = spawn(ostler, ['run', site, '--listen', '127.0.0.1:0', '--instances', '2'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const counted = [];
  let url;
  await new Promise((ready, failed) => {
    host.on('exit', () => failed(new Error('the host ended')));
    createInterface(host.stdout).on('line', (line) => {
      url ??= line.match(/http:\/\/[^/\s]+/)?.[0];
      if (line.includes('| counted ')) counted.push(line.match(/counted (\S+)/)[1]);
      if (line.startsWith('workers ') && line.includes('ready')) ready();
    });
  });
  return { host, url, counted };
}

async function run(fault) {
  const { host, url, counted } = await start();
  try {
    const load = spawn('node', [join(tests, 'clients/mixed.mjs'), url, fault, SECONDS], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    load.stdout.on('data', (part) => (text += part));
    await once(load, 'close');
    return { outcome: JSON.parse(text.trim().split('\n').at(-1)), twice: counted.length - new Set(counted).size };
  } finally {
    host.removeAllListeners('exit');
    host.kill('SIGTERM');
    await once(host, 'exit');
  }
}

for (const fault of faults) {
  const { outcome, twice } = await run(fault);
  const { wholeMs, fiftyFine, kinds, failures } = outcome;
  console.log(`\n${fault}${wholeMs ? `: whole again after ${wholeMs} ms${fiftyFine ? '' : ', but not all of 50 GETs were fine'}` : ''}`);
  console.table(Object.fromEntries(Object.entries(kinds).map(([kind, tally]) => [kind, {
    asked: tally.asked, fine: tally.fine, failed: tally.failed, 'of them sent after the fault': tally.failedLater,
    'cut visibly': tally.truncated, 'cut silently': tally.silent, unanswered: tally.unanswered,
    'in flight at the fault': tally.atFault, 'slowest ms': tally.slowestMs,
  }])));
  if (twice) console.log(`POSTs done twice: ${twice}`);
  for (const { why, sentMs } of failures) console.log(`  ${why} (sent ${sentMs} ms after the fault)`);
}
