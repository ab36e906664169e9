#!/usr/bin/env python3
"""ostler with php-cgi beside nginx with php-fpm, the same pages: CPU per request of the host alone, and of all.

Runs are interleaved, as in benches/compare, whose measuring this uses. nginx runs twice, with connections to php-fpm that
are kept and without; the better figure counts. Everything lives in a temporary folder; what was started is ended.
"""
import argparse, json, os, resource, shutil, signal, statistics, subprocess, sys, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'compare'))
import compare

PAGES = {
    'hello.php': "<?php echo 'Hello from PHP';",
    'page.php': "<?php header('Cache-Control: no-store'); echo str_repeat('<p>A line of a page.</p>', 200);",
    'body.php': "<?php $n = 0; for ($in = fopen('php://input', 'r'); !feof($in);) $n += strlen(fread($in, 65536)); echo $n;",
    'big.php': "<?php echo str_repeat('0123456789abcdef', 65536);",
    'server.php': '<?php echo json_encode($_SERVER);',
}
# name: arguments of hload; as many clients as there are programs, so that nobody measures a queue.
SCENARIOS = {
    'hello': '-p /hello.php',
    'page': '-p /page.php',
    'post64k': '-p /body.php -b 65536',
    'big': '-p /big.php',
}
CONFIG = '''<?xml version="1.0" encoding="utf-8"?>
<configuration><system.webServer>
  <handlers><add name="PHP" path="*.php" verb="*" modules="FastCgiModule" scriptProcessor="php-cgi" resourceType="Either"/></handlers>
  <fastCgi><application fullPath="php-cgi" maxInstances="{workers}" instanceMaxRequests="10000000"/></fastCgi>
</system.webServer></configuration>
'''
FPM = '''[global]
error_log = {folder}/fpm.log
daemonize = no
[www]
{user}
listen = {folder}/fpm.sock
listen.mode = 0666
pm = static
pm.max_children = {workers}
'''
NGINX = '''
user root; worker_processes {threads}; daemon off; pid {folder}/pid; error_log {folder}/err.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/cb; proxy_temp_path {folder}/pt; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000000; keepalive_timeout 600; client_max_body_size 0;
  upstream php {{ server unix:{folder}/fpm.sock; {keep} }}
  server {{ listen 127.0.0.1:{port}; root {root}; index index.html;
    location ~ ^(.+?\\.php)(/.*)?$ {{
      try_files $1 =404; fastcgi_pass php; {keep_conn}
      fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param SCRIPT_FILENAME $document_root$1; fastcgi_param SCRIPT_NAME $1; fastcgi_param PATH_INFO $2;
      fastcgi_param REQUEST_URI $request_uri; fastcgi_param DOCUMENT_URI $1$2; fastcgi_param DOCUMENT_ROOT $document_root;
      fastcgi_param SERVER_PROTOCOL $server_protocol; fastcgi_param REQUEST_SCHEME $scheme;
      fastcgi_param GATEWAY_INTERFACE CGI/1.1; fastcgi_param SERVER_SOFTWARE nginx/$nginx_version;
      fastcgi_param REMOTE_ADDR $remote_addr; fastcgi_param REMOTE_PORT $remote_port;
      fastcgi_param SERVER_ADDR $server_addr; fastcgi_param SERVER_PORT $server_port; fastcgi_param SERVER_NAME $host;
      fastcgi_param REDIRECT_STATUS 200;
    }}
  }}
}}
'''
# What differs by what it says, or by documented choice: see docs of each.
OWN = {'SERVER_SOFTWARE', 'REMOTE_PORT', 'SERVER_PORT', 'HTTP_HOST', 'REQUEST_TIME', 'REQUEST_TIME_FLOAT', 'SERVER_ADDR',
       'FCGI_ROLE', 'USER', 'HOME', 'REMOTE_HOST', 'LOCAL_ADDR', 'PATH_INFO'}


class Session(compare.Session):
    """The peers, and of which processes each consists: (its own, those of PHP)."""

    def start(self, port_of):
        options = self.options
        self.root = f'{self.tmp}/root'
        os.makedirs(self.root)
        for name, text in PAGES.items():
            with open(f'{self.root}/{name}', 'w') as page:
                page.write(text)
        with open(f'{self.root}/web.config', 'w') as config:
            config.write(CONFIG.format(workers=options.workers))
        peers = {}
        limits = ['--limit', 'connections=4000', '--limit', 'connectionsPerClient=4000']
        ostler = self.spawn([options.ostler, 'run', self.root, '--listen', f'127.0.0.1:{port_of("ostler")}',
                             '--threads', str(options.threads), *limits], self.front)
        peers['ostler'] = (lambda: [ostler.pid], lambda: [p for p in compare.family(ostler) if p != ostler.pid])
        for name, keep in [('nginx', ''), ('nginx-keep', f'keepalive {options.workers};')]:
            folder = f'{self.tmp}/{name}'
            os.makedirs(folder)
            user = 'user = root\ngroup = root' if os.geteuid() == 0 else ''
            with open(f'{folder}/fpm.conf', 'w') as config:
                config.write(FPM.format(folder=folder, user=user, workers=options.workers))
            with open(f'{folder}/nginx.conf', 'w') as config:
                config.write(NGINX.format(folder=folder, root=self.root, port=port_of(name), threads=options.threads, keep=keep,
                                          keep_conn='fastcgi_keep_conn on;' if keep else ''))
            fpm = self.spawn([options.fpm, '--nodaemonize', '--fpm-config', f'{folder}/fpm.conf',
                              *(['--allow-to-run-as-root'] if os.geteuid() == 0 else [])], self.back)
            if not compare.wait_listening(f'unix:{folder}/fpm.sock'):
                sys.exit(f'php-fpm did not start: {open(fpm.log).read()[-600:]}')
            nginx = self.spawn(['nginx', '-c', f'{folder}/nginx.conf'], self.front)
            peers[name] = (lambda nginx=nginx: compare.family(nginx), lambda fpm=fpm: compare.family(fpm))
        return peers

    def run(self, arguments, port, peer):
        own, php = (pids() for pids in peer)
        before = compare.cpu(own), compare.cpu(php)
        run = self.load(f'-c {self.options.workers} {arguments}', port, self.options.dur)
        after = compare.cpu(own), compare.cpu(php)
        requests = max(1, run['requests'])
        run['host'] = compare.cpu_between(before[0], after[0]) / requests * 1e6
        run['php'] = compare.cpu_between(before[1], after[1]) / requests * 1e6
        return run


def server(port, target, fields, body=None):
    request = urllib.request.Request(f'http://127.0.0.1:{port}{target}', data=body, headers=fields)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def differences(ours, theirs):
    """What $_SERVER says differently, for a few requests."""
    requests = [('/server.php', {}, None), ('/server.php?a=%20b&c', {'X-A': '1', 'Cookie': 'a=b'}, None),
                ('/server.php/info/x%20y?q', {}, None), ('/server.php', {'Content-Type': 'text/x'}, b'a body'),
                ('/server.php', {'Authorization': 'Basic YTpi', 'Proxy': 'http://evil.example'}, None)]
    found = []
    for target, fields, body in requests:
        a, b = server(ours, target, fields, body), server(theirs, target, fields, body)
        for name in sorted(set(a) | set(b)):
            # An empty variable and an absent one are the same to a page.
            if name not in OWN and (a.get(name) or None) != (b.get(name) or None):
                found.append(f'{target} {fields or ""} {name}: {a.get(name)!r}, nginx {b.get(name)!r}')
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--scen', default=','.join(SCENARIOS))
    parser.add_argument('--ostler', metavar='PATH', help='the binary (default: this tree\'s release build)')
    parser.add_argument('--fpm', metavar='PATH', help='php-fpm (default: what is found)')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--dur', type=float, default=3, help='seconds of one run')
    parser.add_argument('--threads', type=int, default=1, help='of each host')
    parser.add_argument('--workers', type=int, default=4, help='programs of PHP, and clients')
    parser.add_argument('--unpin', action='store_true', help='let the scheduler place everything')
    options = parser.parse_args()
    target = os.environ.get('CARGO_TARGET_DIR', f'{compare.ROOT}/target')
    options.ostler = options.ostler or os.path.join(target, 'release', 'ostler')
    names = ['php-fpm', *(f'php-fpm8.{minor}' for minor in range(1, 9))]
    options.fpm = options.fpm or next(filter(None, map(shutil.which, names)), None) or sys.exit('php-fpm not found')
    options.scen = options.scen.split(',')
    return options


def main():
    options = arguments()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    ports = {}
    with Session(options) as session:
        peers = session.start(lambda name: ports.setdefault(name, compare.free_port()))
        for name, port in ports.items():
            if not compare.wait_listening(f'127.0.0.1:{port}'):
                sys.exit(f'{name} did not start')
        for line in differences(ports['ostler'], ports['nginx']) or ['none']:
            print(f'$_SERVER differs: {line}')
        for scenario in options.scen:
            results = {name: [] for name in peers}
            for attempt in range(-1, options.rounds):
                for name, peer in peers.items():
                    if attempt < 0:
                        # Starts all programs and warms the caches of PHP.
                        session.load(f'-c {options.workers} {SCENARIOS[scenario]}', ports[name], 1)
                        continue
                    compare.wait_quiet(10)
                    results[name].append(session.run(SCENARIOS[scenario], ports[name], peer))
            print(f'\n== {scenario}  [{SCENARIOS[scenario]}]  {options.workers} programs, {options.threads} thread(s)')
            for name, runs in results.items():
                errors = sum(run['errors'] + run['non2xx'] for run in runs)
                figure = lambda key: statistics.median(run[key] for run in runs)
                print(f'{name:11} host {figure("host"):7.1f} us/req   PHP {figure("php"):7.1f} us/req   '
                      f'{figure("rps"):8.0f} req/s   p99 {figure("p99"):6.0f} us   errors {errors}')
            # An error page costs less than a page of PHP: figures with errors in them compare nothing.
            failed = {name for name, runs in results.items() if any(run['errors'] + run['non2xx'] for run in runs)}
            rivals = [name for name in results if name != 'ostler' and name not in failed]
            if 'ostler' in failed or not rivals:
                print(f'no ratio {scenario}: requests failed behind {", ".join(sorted(failed))}', flush=True)
                continue
            best = min(statistics.median(run['host'] for run in results[name]) for name in rivals)
            ours = statistics.median(run['host'] for run in results['ostler'])
            print(f'ratio {scenario}: host CPU/req {ours / best:.2f}  (ostler / best of {", ".join(rivals)})', flush=True)


if __name__ == '__main__':
    main()
