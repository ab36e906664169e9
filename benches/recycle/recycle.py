#!/usr/bin/env python3
"""What a site loses while it is recycled under load, and what a site of many applications costs.

usage: recycle.py OSTLER. Everything lives in a temporary folder that is removed at the end; what was started is ended.
"""
import json, os, re, shutil, signal, subprocess, sys, tempfile, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
CONNECTIONS, RECYCLES, WORKERS, APPLICATIONS = 200, 20, 4, 1000
CONFIG = '''<configuration><system.webServer>
  <handlers><add name="iisnode" path="app.js" verb="*" modules="iisnode"/></handlers>
  <iisnode nodeProcessCountPerApplication="{workers}" devErrorsEnabled="false" loggingEnabled="false"/>
</system.webServer></configuration>
'''
APP = '''const version = {version};
require('http').createServer((q, r) => {{
  r.setHeader('X-Pid', process.pid);
  r.end(String(version));
}}).listen(process.env.PORT);
'''


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path + '.new', 'w') as f:
        f.write(text)
    os.rename(path + '.new', path)


def start(ostler, folder):
    """The process and its port, once it listens."""
    log = open(os.path.join(folder, '..', 'log'), 'w+')
    process = subprocess.Popen([ostler, 'run', folder, '--listen', '127.0.0.1:0', '--limit', 'connectionsPerClient=5000'],
                               stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = re.search(r'http://127\.0\.0\.1:(\d+)/', open(log.name).read())
        if found:
            return process, int(found[1])
        time.sleep(0.002)
    sys.exit(f'it did not start: {open(log.name).read()}')


def get(port):
    with urllib.request.urlopen(f'http://127.0.0.1:{port}/app.js', timeout=30) as response:
        return response.read().decode(), int(response.headers['X-Pid'])


def load(tool, port, seconds):
    return subprocess.Popen([tool, '-t', f'127.0.0.1:{port}', '-p', '/app.js', '-c', str(CONNECTIONS), '-d', str(seconds), '-R'],
                            stdout=subprocess.PIPE, text=True)


def lost(run):
    figures = json.loads(run.communicate()[0])
    return figures['requests'], {key: figures[key] for key in ('errors', 'non2xx', 'connerrs') if figures[key]}


def recycles(ostler, tool, folder, mode):
    write(folder, 'web.config', CONFIG.format(workers=WORKERS))
    write(folder, 'iisnode.yml', f'recycleMode: {mode}\n')
    write(folder, 'app.js', APP.format(version=0))
    process, port = start(ostler, folder)
    try:
        get(port)
        run = load(tool, port, 30 if mode == 'strict' else 90)
        time.sleep(1)
        begun, slowest = time.monotonic(), 0
        for version in range(1, RECYCLES + 1):
            write(folder, 'app.js', APP.format(version=version))
            written = time.monotonic()
            # strict: the very next request sees it. safe: as soon as the new workers are ready.
            while (seen := get(port)[0]) != str(version):
                if mode == 'strict':
                    sys.exit(f'a request after the write saw version {seen}, not {version}')
            slowest = max(slowest, time.monotonic() - written)
        took = time.monotonic() - begun
        if run.poll() is not None:
            sys.exit('the load ended before the recycles did')
        requests, failures = lost(run)
        print(f'{mode}: {RECYCLES} recycles in {took:.1f} s under {CONNECTIONS} connections, the new version seen after '
              f'{slowest * 1e3:.0f} ms at most; {requests} requests, failed: {failures or "none"}')
        run = load(tool, port, 5)
        time.sleep(2)
        os.kill(get(port)[1], signal.SIGKILL)
        requests, failures = lost(run)
        print(f'{mode}: kill -9 of one of {WORKERS} workers; {requests} requests, failed: {failures or "none"}')
    finally:
        process.terminate()
        process.wait(60)


def many(ostler, folder):
    for number in range(APPLICATIONS):
        below = os.path.join(folder, f'app{number}')
        os.makedirs(below)
        write(below, 'web.config', CONFIG.format(workers=1))
        write(below, 'app.js', APP.format(version=number))
    write(folder, 'web.config', '<configuration/>\n')
    begun = time.monotonic()
    process, port = start(ostler, folder)
    took = time.monotonic() - begun
    try:
        # Answered by the host itself: it serves, and nothing was started for it.
        with urllib.request.urlopen(f'http://127.0.0.1:{port}/app7/app.js', timeout=30) as response:
            answered = response.read().decode()
        rss = int(re.search(r'VmRSS:\s+(\d+)', open(f'/proc/{process.pid}/status').read())[1])
        print(f'{APPLICATIONS} applications, one of them used (it says {answered}): listening after {took * 1e3:.0f} ms, '
              f'resident memory {rss / 1024:.1f} MB')
    finally:
        process.terminate()
        process.wait(60)


def main():
    ostler = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix='ostler-recycle.')
    try:
        tool = f'{folder}/hload'
        subprocess.run(['gcc', '-O2', '-o', tool, f'{HERE}/../compare/hload.c'], check=True)
        for mode in ('strict', 'safe'):
            os.makedirs(f'{folder}/{mode}')
            recycles(ostler, tool, f'{folder}/{mode}', mode)
        os.makedirs(f'{folder}/many')
        many(ostler, f'{folder}/many')
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    main()
