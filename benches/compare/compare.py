#!/usr/bin/env python3
"""ostler beside nginx and HAProxy, in front of the same workers on loopback: CPU per request, as ratios.

Runs are interleaved (A B C A B C ...), so that a machine that grows slower grows slower for all. See ../README.md.
Everything lives in a temporary folder that is removed at the end; ports are picked free; what was started is ended.
"""
import argparse, json, os, resource, select, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TICK = os.sysconf('SC_CLK_TCK')
TEN_MB = 10 * 1024 * 1024

# name: (workers, arguments of hload, what is counted: requests, bytes down, bytes up)
SCENARIOS = {
    'hello':     ('fast', '-c 64', 'req'),                # keep-alive, a browser's header fields, 128-byte answers
    'hello-min': ('fast', '-c 64 -m', 'req'),             # the same with two-line requests
    'hello-c1':  ('fast', '-c 1', 'req'),                 # one connection: pure latency, no batching
    'rate2k':    ('fast', '-c 32 -r 2000', 'req'),        # at a fixed rate: wake-ups
    'rate10k':   ('fast', '-c 64 -r 10000', 'req'),
    'newconn':   ('fast', '-c 32 -k', 'req'),             # a new connection for every request
    'body16k':   ('fast', '-c 64 -p /b/16', 'req'),
    'chunk16k':  ('fast', '-c 64 -p /c/16', 'req'),
    'down10m':   ('fast', '-c 4 -p /b/10240', 'down'),
    'downchunk': ('fast', '-c 4 -p /c/10240', 'down'),
    'up10m':     ('fast', f'-c 4 -b {TEN_MB}', 'up'),
    'ws64':      ('fast', '-c 32 -W 64', 'req'),          # WebSocket messages, there and back
    'ws4k':      ('fast', '-c 32 -W 4096', 'req'),
    'node':      ('node', '-c 64', 'req'),                # two real Node workers
    'node-2k':   ('node', '-c 32 -r 2000', 'req'),
}
ALL = ['hello', 'newconn', 'chunk16k', 'down10m', 'up10m', 'ws64']
RIVALS = ['nginx', 'haproxy']


# ---- processes: who belongs to a peer, and what they have used

def family(process):
    """The process, its descendants, and daemonised ones that still carry its tag in their environment."""
    children = {}
    pids = [int(p) for p in os.listdir('/proc') if p.isdigit()]
    for pid in pids:
        try:
            stat = open(f'/proc/{pid}/stat').read()
        except OSError:
            continue
        children.setdefault(int(stat[stat.rindex(')') + 2:].split()[1]), []).append(pid)
    found, todo = [], [process.pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    for pid in set(pids) - set(found):
        try:
            if process.tag in open(f'/proc/{pid}/environ', 'rb').read():
                found.append(pid)
        except OSError:
            pass
    return found


def cpu(pids):
    """({(pid, tid): ns on a CPU}, seconds by clock ticks, user seconds of those)."""
    per_thread, total, user = {}, 0.0, 0.0
    for pid in pids:
        try:
            stat = open(f'/proc/{pid}/stat').read()
            fields = stat[stat.rindex(')') + 2:].split()
            total += (int(fields[11]) + int(fields[12])) / TICK
            user += int(fields[11]) / TICK
            for tid in os.listdir(f'/proc/{pid}/task'):
                per_thread[pid, tid] = int(open(f'/proc/{pid}/task/{tid}/schedstat').read().split()[0])
        except OSError:
            pass
    return per_thread, total, user


def cpu_between(before, after):
    """CPU seconds: by the scheduler's ns while no thread went away, by clock ticks otherwise."""
    if set(before[0]) <= set(after[0]):
        return (sum(after[0].values()) - sum(before[0].values())) / 1e9
    return after[1] - before[1]


def memory(pids, key):
    kib = 0
    for pid in pids:
        try:
            kib += sum(int(l.split()[1]) for l in open(f'/proc/{pid}/smaps_rollup') if l.startswith(key + ':'))
        except OSError:
            pass
    return kib


def machine_busy():
    """(busy, all) clock ticks of the whole machine."""
    fields = [int(x) for x in open('/proc/stat').readline().split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def wait_quiet(limit, share=0.08):
    """Waits, at most `limit` seconds, until other programs leave the machine alone."""
    end = time.time() + limit
    while time.time() < end:
        a = machine_busy()
        time.sleep(0.25)
        b = machine_busy()
        if (b[0] - a[0]) / max(1, b[1] - a[1]) < share:
            return


def wait_listening(address, limit=15):
    end = time.time() + limit
    while time.time() < end:
        try:
            if address.startswith('unix:'):
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(address[5:])
            else:
                host, port = address.rsplit(':', 1)
                socket.create_connection((host, int(port)), 1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def free_port():
    """A port nobody holds: others may measure on this machine, and SO_REUSEPORT hides clashes."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


# ---- peers: (folder for its files, port, worker addresses, threads) -> command

def nginx(folder, port, workers, threads):
    servers = '\n'.join(f'    server {w} max_conns=0;' for w in workers)
    with open(f'{folder}/nginx.conf', 'w') as f:
        f.write(f'''
user root; worker_processes {threads}; daemon off; pid {folder}/pid; error_log {folder}/err.log error; worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
http {{
  access_log off; client_body_temp_path {folder}/cb; proxy_temp_path {folder}/pt; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000000; keepalive_timeout 600; client_max_body_size 0; sendfile on; tcp_nopush on;
  map $http_upgrade $conn_up {{ default upgrade; '' ''; }}
  upstream w {{
{servers}
    keepalive 128; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096 {"reuseport" if threads > 1 else ""};
    location / {{ proxy_pass http://w; proxy_http_version 1.1; proxy_set_header Connection $conn_up;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto http;
      proxy_max_temp_file_size 0; proxy_request_buffering off; proxy_next_upstream off; }}
  }}
}}
''')
    return ['nginx', '-c', f'{folder}/nginx.conf']


def haproxy(folder, port, workers, threads):
    servers = '\n'.join(f'  server w{i} {w.replace("unix:", "unix@")} maxconn 1024' for i, w in enumerate(workers))
    with open(f'{folder}/haproxy.cfg', 'w') as f:
        f.write(f'''
global
  nbthread {threads}
  maxconn 9900
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 60s
  timeout tunnel 600s
  timeout http-keep-alive 600s
  option http-keep-alive
  http-reuse always
  option forwardfor
frontend f
  bind 127.0.0.1:{port} backlog 4096
  http-request set-header X-Forwarded-Proto http
  default_backend b
backend b
  balance roundrobin
{servers}
''')
    return ['haproxy', '-db', '-f', f'{folder}/haproxy.cfg']


def ostler(binary):
    def peer(_folder, port, workers, threads):
        upstreams = [x for w in workers for x in ('--upstream', w)]
        # All load comes from one address; the rivals, too, are told how many connections to expect.
        limits = ['--limit', 'connections=19000', '--limit', 'connectionsPerClient=19000']
        return [binary, 'run', '--listen', f'127.0.0.1:{port}', '--threads', str(threads), *limits, *upstreams]
    return peer


# The rewrite rules that Azure gives every Node site, as it means them.
SITE = '''<?xml version="1.0" encoding="utf-8"?>
<configuration><system.webServer>
  <handlers><add name="iisnode" path="server.js" verb="*" modules="iisnode"/></handlers>
  <rewrite><rules>
    <rule name="Inspector" stopProcessing="true"><match url="^server.js\\/debug[\\/]?"/></rule>
    <rule name="Static"><action type="Rewrite" url="public{{REQUEST_URI}}"/></rule>
    <rule name="Dynamic"><conditions><add input="{{REQUEST_FILENAME}}" matchType="IsFile" negate="True"/></conditions>
      <action type="Rewrite" url="server.js"/></rule>
  </rules></rewrite>
  <iisnode nodeProcessCommandLine="{folder}/worker" nodeProcessCountPerApplication="{workers}" loggingEnabled="false"/>
</system.webServer></configuration>
'''


def site(binary):
    """ostler with a site: filtering, rewriting and mapping on the way. Its workers lead to the ones all peers use."""
    def peer(folder, port, workers, threads):
        root, stem = f'{folder}/site', workers[0].removeprefix('unix:').removesuffix('0.sock')
        os.makedirs(f'{root}/public')
        with open(f'{root}/web.config', 'w') as f:
            f.write(SITE.format(folder=folder, workers=len(workers)))
        with open(f'{root}/server.js', 'w') as f:
            f.write('// never run: the command of web.config stands in for Node\n')
        with open(f'{folder}/worker', 'w') as f:
            f.write(f'#!/bin/sh\nln -s "{stem}$OSTLER_WORKER.sock" "$PORT"\nexec sleep infinity\n')
        os.chmod(f'{folder}/worker', 0o755)
        limits = ['--limit', 'connections=19000', '--limit', 'connectionsPerClient=19000']
        return [binary, 'run', root, '--listen', f'127.0.0.1:{port}', '--threads', str(threads), *limits]
    return peer


def command(template):
    """Any program: {port} {threads} {ups} (`--up A --up B`) {up0} {up1} {tmp} {here}."""
    def peer(folder, port, workers, threads):
        return template.format(port=port, threads=threads, ups=' '.join(f'--up {w}' for w in workers), up0=workers[0],
                               up1=workers[-1], tmp=folder, here=HERE).split()
    return peer


# ---- one session: the workers, the peers in front of them, the load

class Session:
    def __init__(self, options):
        self.options = options
        self.started = []
        self.front, self.back = ([], []) if options.unpin else (['taskset', '-c', '0'], ['taskset', '-c', '1'])
        self.tmp = tempfile.mkdtemp(prefix='ostler-compare.')
        # nginx's workers may run as another user and must reach the sockets.
        os.chmod(self.tmp, 0o755)

    def __enter__(self):
        for tool in ('fastback', 'hload'):
            subprocess.run(['gcc', '-O2', '-o', f'{self.tmp}/{tool}', f'{HERE}/{tool}.c'], check=True)
        return self

    def __exit__(self, *_):
        for process in self.started:
            if process.poll() is None:
                self.stop(process)
        shutil.rmtree(self.tmp, ignore_errors=True)

    def spawn(self, argv, pin):
        value = f'{os.getpid()}.{len(self.started)}'
        log = open(f'{self.tmp}/log.{value}', 'wb')
        process = subprocess.Popen(pin + argv, env={**os.environ, 'OSTLER_BENCH_TAG': value}, stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
        process.tag, process.log = f'OSTLER_BENCH_TAG={value}\0'.encode(), log.name
        self.started.append(process)
        return process

    def stop(self, process):
        for pid in reversed(family(process)):
            try:
                os.kill(pid, signal.SIGTERM)
            except OSError:
                pass
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def start_workers(self, kinds):
        """{kind: (worker addresses, their processes)}."""
        workers = {}
        if 'fast' in kinds:
            addresses = [f'unix:{self.tmp}/fast{i}.sock' for i in range(self.options.workers)]
            workers['fast'] = addresses, [self.spawn([f'{self.tmp}/fastback', *addresses], self.back)]
        if 'node' in kinds:
            addresses = [f'unix:{self.tmp}/node{i}.sock' for i in range(self.options.workers)]
            workers['node'] = addresses, [self.spawn(['node', f'{HERE}/hello.mjs', a], self.back) for a in addresses]
        for addresses, processes in workers.values():
            for address in addresses:
                if not wait_listening(address):
                    sys.exit(f'the worker on {address} did not start: {open(processes[0].log).read()[-600:]}')
        return workers

    def start_peers(self, peers, workers):
        """{(peer, kind of worker): (process, port)}, without those that do not start."""
        live = {}
        for kind, (addresses, _) in workers.items():
            for name, peer in peers.items():
                folder, port = f'{self.tmp}/{name}-{kind}', free_port()
                os.makedirs(folder)
                os.chmod(folder, 0o777)
                try:
                    process = self.spawn(peer(folder, port, addresses, self.options.threads), self.front)
                except FileNotFoundError as error:
                    print(f'left out: {name}: {error}', file=sys.stderr)
                    continue
                if wait_listening(f'127.0.0.1:{port}'):
                    live[name, kind] = process, port
                else:
                    print(f'left out: {name} did not start: {open(process.log).read()[-600:]}', file=sys.stderr)
                    if process.poll() is None:
                        self.stop(process)
        return live

    def load(self, arguments, port, seconds):
        argv = [f'{self.tmp}/hload', '-t', f'127.0.0.1:{port}', '-d', str(seconds), *arguments.split()]
        done = subprocess.run(self.back + argv, capture_output=True, text=True, timeout=seconds + 30)
        return json.loads(done.stdout.strip().splitlines()[-1])

    def measure(self, arguments, counted, process, port, workers):
        """One run of one peer, with what it cost."""
        options = self.options
        ours, theirs = family(process), [w.pid for w in workers]
        before = cpu(ours), cpu(theirs), machine_busy(), resource.getrusage(resource.RUSAGE_CHILDREN)
        run = self.load(arguments, port, options.dur)
        after = cpu(ours), cpu(theirs), machine_busy(), resource.getrusage(resource.RUSAGE_CHILDREN)
        used, by_workers = cpu_between(before[0], after[0]), cpu_between(before[1], after[1])
        by_load = after[3].ru_utime + after[3].ru_stime - before[3].ru_utime - before[3].ru_stime
        requests = max(1, run['requests'])
        user_share = (after[0][2] - before[0][2]) / max(1e-9, after[0][1] - before[0][1])
        moved = {'req': 0, 'down': run['bytes'], 'up': requests * TEN_MB}[counted]
        run['foreign'] = max(0, (after[2][0] - before[2][0]) / TICK - used - by_workers - by_load) / options.dur
        run['cpu'] = used / (moved / 1e9) if moved else used / requests * 1e6
        run['user'] = run['cpu'] * user_share
        run['total'] = (used + by_workers) / requests * 1e6
        run['mb_s'] = moved / run['secs'] / 1e6
        return run

    def idle(self, live):
        """What idle connections cost in memory and CPU."""
        for (name, _), (process, port) in live.items():
            base = memory(family(process), 'Pss')
            row = [f'{name}: idle {memory(family(process), "Rss")} KiB (pss {base})']
            for count in (1000, 9000):
                argv = [f'{self.tmp}/hload', '-t', f'127.0.0.1:{port}', '-c', str(count), '-i', '-d', '4']
                holder = subprocess.Popen(self.back + argv, stdout=subprocess.PIPE, text=True)
                said = holder.stdout.readline().strip() if select.select([holder.stdout], [], [], 30)[0] else ''
                if not said:
                    holder.kill()
                time.sleep(1)
                pids = family(process)
                start, pss = cpu(pids), memory(pids, 'Pss')
                time.sleep(1)
                busy_ms = cpu_between(start, cpu(pids)) * 1e3
                row.append(f'{count}: pss {pss} KiB, {(pss - base) * 1024 / count:.0f} B per connection, '
                           f'CPU {busy_ms:.1f} ms/s [{said or "not ready in 30 s"}]')
                holder.wait()
                time.sleep(1)
            print('  '.join(row), flush=True)


# ---- what a person reads

def median(runs, key):
    return statistics.median(run[key] for run in runs)


def trusted(runs):
    """Runs disturbed by other programs count only when too few are clean."""
    clean = [run for run in runs if run['foreign'] < 0.25]
    return clean if len(clean) >= 3 else runs


def table(counted, is_websocket, results):
    def spread(runs, key, form):
        values = [run[key] for run in runs]
        return f'{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})'

    if counted == 'req':
        head = ['peer', 'CPU us/req (min-max)', 'of it user', 'req/s (min-max)', 'p50 us', 'p99 us', 'p99.9 us',
                'total us/req', 'errors', 'clean runs']
    else:
        head = ['peer', 'CPU s/GB (min-max)', 'MB/s (min-max)', 'errors', 'clean runs']
    rows = [head]
    for name, runs in sorted(results.items(), key=lambda item: median(trusted(item[1]), 'cpu')):
        errors = sum(run['errors'] + (0 if is_websocket else run['non2xx']) for run in runs)
        clean = sum(run['foreign'] < 0.25 for run in runs)
        use = trusted(runs)
        if counted == 'req':
            rows.append([name, spread(use, 'cpu', '.2f'), f'{median(use, "user"):.1f}', spread(use, 'rps', '.0f'),
                         *(f'{median(use, key):.0f}' for key in ('p50', 'p99', 'p999')), f'{median(use, "total"):.1f}',
                         str(errors), str(clean)])
        else:
            rows.append([name, spread(use, 'cpu', '.3f'), spread(use, 'mb_s', '.0f'), str(errors), str(clean)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    rows.insert(1, ['-' * width for width in widths])
    return '\n'.join('| ' + ' | '.join(cell.ljust(width) for cell, width in zip(row, widths)) + ' |' for row in rows)


def ratios(subject, scenario, counted, kind, results):
    """`subject` / the best of nginx and HAProxy, each figure on its own; below 1 is better than both."""
    rivals = [name for name in RIVALS if name in results]
    if subject not in results or not rivals:
        return None
    ours = trusted(results[subject])

    def against(key, names):
        return median(ours, key) / max(1e-9, min(median(trusted(results[name]), key) for name in names))

    unit = 'CPU/req' if counted == 'req' else 'CPU s/GB'
    line = f'ratio {scenario}: {unit} {against("cpu", rivals):.2f}  p99 {against("p99", rivals):.2f}'
    if kind == 'node':
        line += f'  total CPU {against("total", rivals):.2f}'
    line += f'  ({subject} / best of {", ".join(rivals)})'
    if kind == 'node' and 'nginx' in rivals:
        line += f'\nratio {scenario}: total CPU {against("total", ["nginx"]):.2f}  p99 {against("p99", ["nginx"]):.2f}'
        line += f'  ({subject} / nginx)'
    return line


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--scen', default='hello', help=f'scenarios, by commas: {", ".join(SCENARIOS)}; '
                        f'`all` is {",".join(ALL)}')
    parser.add_argument('--node', action='store_true', help='the realistic one: two Node workers, two proxy threads, '
                        'unpinned (--scen node --unpin --threads 2 --workers 2)')
    parser.add_argument('--peers', default='ostler,nginx,haproxy')
    parser.add_argument('--ostler', metavar='PATH', help='the binary (default: this tree\'s release build)')
    parser.add_argument('--extra', action='append', default=[], metavar='NAME=COMMAND', help=command.__doc__)
    parser.add_argument('--subject', default='ostler', help='the peer whose ratios are printed')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--dur', type=float, default=3, help='seconds of one run')
    parser.add_argument('--threads', type=int, default=1, help='of each proxy')
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--unpin', action='store_true', help='let the scheduler place everything')
    parser.add_argument('--quiet-wait', type=float, default=20, metavar='S',
                        help='how long to wait, before each run, for other programs to be idle')
    parser.add_argument('--nice', type=int, default=-10)
    parser.add_argument('--idle', action='store_true', help='memory and CPU with 1,000 and 9,000 idle connections')
    parser.add_argument('--out', metavar='FILE', help='every single run as JSON')
    options = parser.parse_args()
    if options.node:
        options.scen, options.unpin, options.threads, options.workers = 'node', True, 2, 2
    options.scen = ALL if options.scen == 'all' else options.scen.split(',')
    for name in options.scen:
        if name not in SCENARIOS:
            parser.error(f'no scenario `{name}`: choose from {", ".join(SCENARIOS)}')
    options.ostler = options.ostler or os.path.join(
        os.environ.get('CARGO_TARGET_DIR', f'{ROOT}/target'), 'release', 'ostler')
    known = {'ostler': ostler(options.ostler), 'site': site(options.ostler), 'nginx': nginx, 'haproxy': haproxy}
    peers = {}
    for name in filter(None, options.peers.split(',')):
        if name not in known:
            parser.error(f'no peer `{name}`: choose from {", ".join(known)}, or give --extra NAME=COMMAND')
        peers[name] = known[name]
    for extra in options.extra:
        name, template = extra.split('=', 1)
        peers[name] = command(template)
    return options, peers


def compare(session, peers):
    options = session.options
    workers = session.start_workers({SCENARIOS[s][0] for s in options.scen} if not options.idle else {'fast'})
    live = session.start_peers(peers, workers)
    if not live:
        sys.exit('no peer started')
    # Start-up work of the peers shall not count as theirs in the first run.
    time.sleep(1)
    if options.idle:
        return session.idle(live)
    everything = {}
    for scenario in options.scen:
        kind, load, counted = SCENARIOS[scenario]
        results = everything[scenario] = {}
        for attempt in range(-1, options.rounds):
            for name in peers:
                if (name, kind) not in live:
                    continue
                process, port = live[name, kind]
                try:
                    # Round -1 warms up: caches, pools of connections, the JIT of Node.
                    if attempt < 0:
                        session.load(load, port, 1)
                        continue
                    wait_quiet(options.quiet_wait)
                    run = session.measure(load, counted, process, port, workers[kind][1])
                    results.setdefault(name, []).append(run)
                except Exception as error:
                    print(f'failed: {scenario} {name}: {error!r}', file=sys.stderr)
        where = 'unpinned' if options.unpin else 'proxy cpu0, rest cpu1'
        foreign = [run['foreign'] for runs in results.values() for run in runs]
        print(f'\n== {scenario}  [{load}]  {where}, {options.threads} thread(s), {options.rounds} x {options.dur:g} s, '
              f'foreign CPU median {statistics.median(foreign or [0]):.2f} cores')
        print(table(counted, scenario.startswith('ws'), results))
        line = ratios(options.subject, scenario, counted, kind, results)
        print(line or f'no ratio: needs {options.subject} and one of {", ".join(RIVALS)}', flush=True)
    if options.out:
        with open(options.out, 'w') as f:
            json.dump(everything, f)


def main():
    options, peers = arguments()
    try:
        os.setpriority(os.PRIO_PROCESS, 0, options.nice)
    except OSError:
        pass
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with Session(options) as session:
        compare(session, peers)


if __name__ == '__main__':
    main()
