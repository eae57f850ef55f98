#!/usr/bin/env python3
"""Measures servers of Server-Sent Events under the same load: a broadcast of 100 bytes.

N clients subscribe to one topic over HTTP/1.1 on loopback. Then updates are published, the
next one when all clients have the last. It measures

  CPU     microseconds of the server's processes, user and system, per delivery, by the CPU
          clocks of its processes
  memory  bytes of anonymous memory of its processes per client: with all clients
          connected, minus that of the server before

Every delivery is checked: a client accepts only the next number, so a loss, a duplicate or a
wrong order ends the run with status 1. The servers take turns: each round starts each of
them anew, beginning with another one each time, and a ratio is one within a round. README
says how to get the servers, and what the figures do not say.
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import resource
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 60  # seconds until everything must have happened
WARM_UP = 20  # updates before those that are measured (bench/README says why)
MARK = re.compile(rb'update-(\d{6})')


def fail(text):
    sys.exit(f'compare.py: {text}')


def update(number):
    """100 bytes of data with the number of the update."""
    return f'update-{number:06}'.ljust(100, '.')


# ---- servers ---------------------------------------------------------------


class Server:
    """A server in a directory and a process group of its own."""

    name = ''
    program = ''  # what must be installed
    subscribe = '/topics/bench'

    def __init__(self, options):
        self.options = options
        self.directory = tempfile.mkdtemp(prefix='crier-compare-', dir=os.environ.get('TMPDIR', '/var/tmp'))
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        self.log = open(os.path.join(self.directory, 'log'), 'wb+')
        self.process = subprocess.Popen(self.command(), cwd=self.directory, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, start_new_session=True,
                                        preexec_fn=lambda: os.sched_setaffinity(0, options.server_cpus))
        self.wait_until_open()

    def wait_until_open(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(('127.0.0.1', self.port)).close()
                return
            except OSError:
                time.sleep(0.02)
        self.log.seek(0)
        fail(f'{self.name} does not start: {self.log.read().decode(errors="replace")[-2000:]}')

    def write(self, name, text):
        with open(os.path.join(self.directory, name), 'w') as file:
            file.write(text)

    def request(self, number):
        """The request that publishes an update."""
        return self.post('/topics/bench', update(number))

    def post(self, path, body, *fields):
        head = [f'POST {path} HTTP/1.1', f'Host: 127.0.0.1:{self.port}', f'Content-Length: {len(body)}', *fields, '', '']
        return ('\r\n'.join(head) + body).encode()

    def processes(self):
        """The ids of its processes."""
        for name in filter(str.isdigit, os.listdir('/proc')):
            try:
                if os.getpgid(int(name)) == self.process.pid:
                    yield int(name)
            except ProcessLookupError:
                pass

    def cpu(self):
        """Seconds of CPU of its processes: clock_getcpuclockid(3) of each."""
        return sum(time.clock_gettime((~process << 3) | 2) for process in self.processes())

    def memory(self):
        """Bytes of anonymous memory of its processes."""
        total = 0
        for process in self.processes():
            with open(f'/proc/{process}/smaps_rollup') as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith('Anonymous:'))
        return total * 1024

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory)


class Crierd(Server):
    name = 'crierd'

    def command(self):
        return [self.options.crierd, '--listen', f'127.0.0.1:{self.port}', '--www', self.directory,
                '--log-level', 'warning', '--demo', 'off']


class Nchan(Server):
    name = 'nchan'

    def command(self):
        self.write('conf', f'''load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off;
{'user root;' if os.geteuid() == 0 else ''}
worker_processes 1;
worker_rlimit_nofile 20000;
pid {self.directory}/pid;
events {{ worker_connections 19000; }}
http {{
    access_log off;
    client_body_temp_path {self.directory}/body;
    proxy_temp_path {self.directory}/proxy;
    fastcgi_temp_path {self.directory}/fastcgi;
    uwsgi_temp_path {self.directory}/uwsgi;
    scgi_temp_path {self.directory}/scgi;
    keepalive_requests 1000000;
    nchan_shared_memory_size 256M;
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        location ~ ^/topics/(.+)$ {{
            nchan_pubsub;
            nchan_channel_id $1;
            nchan_message_buffer_length 1000;
            nchan_message_timeout 1h;
            nchan_eventsource_ping_interval 10;
        }}
    }}
}}
''')
        return [self.options.nginx, '-p', self.directory, '-e', f'{self.directory}/error', '-c', f'{self.directory}/conf']


class Centrifugo(Server):
    name = 'centrifugo'
    subscribe = '/connection/uni_sse?cf_connect=' + urllib.parse.quote('{"subs":{"bench":{}}}')

    def command(self):
        self.write('config.json', json.dumps({
            'http_server': {'address': '127.0.0.1', 'port': str(self.port)},
            'client': {'insecure': True},
            'http_api': {'key': 'key'},
            'log': {'level': 'warn'},
            'uni_sse': {'enabled': True},
            'channel': {'without_namespace': {
                'history_size': 1000, 'history_ttl': '1h', 'allow_subscribe_for_anonymous': True,
                'allow_subscribe_for_client': True}},
        }))
        return [self.options.centrifugo, '--config', f'{self.directory}/config.json']

    def request(self, number):
        body = json.dumps({'channel': 'bench', 'data': update(number)[:98]})  # and its quotes
        return self.post('/api/publish', body, 'X-API-Key: key', 'Content-Type: application/json')


class Mercure(Server):
    name = 'mercure'
    subscribe = '/.well-known/mercure?topic=bench'
    key = 'a key of at least 32 bytes for HMAC'

    def command(self):
        self.write('Caddyfile', f'''{{
    admin off
    auto_https off
}}
http://127.0.0.1:{self.port} {{
    mercure {{
        anonymous
        publisher_jwt "{self.key}" HS256
        transport bolt {{
            path {self.directory}/bolt
        }}
    }}
}}
''')
        return [self.options.mercure, 'run', '--adapter', 'caddyfile', '--config', f'{self.directory}/Caddyfile']

    def token(self):
        """A JWT (HS256) that may publish to all topics."""
        def encode(data):
            return base64.urlsafe_b64encode(data).rstrip(b'=').decode()
        signed = '.'.join(encode(json.dumps(part).encode()) for part in
                          ({'alg': 'HS256', 'typ': 'JWT'}, {'mercure': {'publish': ['*']}}))
        return f'{signed}.{encode(hmac.digest(self.key.encode(), signed.encode(), hashlib.sha256))}'

    def request(self, number):
        body = urllib.parse.urlencode({'topic': 'bench', 'data': update(number)})
        return self.post('/.well-known/mercure', body, 'Content-Type: application/x-www-form-urlencoded',
                         f'Authorization: Bearer {self.token()}')


class Ntfy(Server):
    name = 'ntfy'
    subscribe = '/bench/sse'

    def command(self):
        self.write('server.yml', '')
        return [self.options.ntfy, 'serve', '--config', f'{self.directory}/server.yml',
                '--listen-http', f'127.0.0.1:{self.port}', '--base-url', f'http://127.0.0.1:{self.port}',
                '--visitor-subscription-limit', '100000', '--visitor-request-limit-exempt-hosts', '127.0.0.1',
                '--log-level', 'warn']

    def request(self, number):
        return self.post('/bench', update(number))


class BetterSse(Server):
    name = 'better-sse'

    def command(self):
        return [self.options.node, os.path.join(HERE, 'better-sse.mjs'), str(self.port)]


SERVERS = [Crierd, Nchan, Mercure, Centrifugo, Ntfy, BetterSse]

# ---- clients ---------------------------------------------------------------


class Client:
    """A subscriber. `last` is the number of the last update that it has received."""

    def __init__(self, server):
        self.socket = socket.create_connection(('127.0.0.1', server.port))
        self.socket.setblocking(False)
        self.socket.send((f'GET {server.subscribe} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n'
                          'Accept: text/event-stream\r\n\r\n').encode())
        self.text = b''
        self.open = False
        self.last = -1

    def read(self, name):
        """Reads what there is. Returns how many updates that completes."""
        chunk = self.socket.recv(65536)
        if not chunk:
            fail(f'{name} has ended a stream: {self.text[-500:]!r}')
        self.text += chunk
        if not self.open and b'\r\n\r\n' in self.text:
            if b' 200 ' not in self.text.split(b'\r\n')[0]:
                fail(f'{name} refuses a stream: {self.text[:500]!r}')
            self.open = True
        numbers = MARK.findall(self.text)
        for number in numbers:
            if int(number) != self.last + 1:
                fail(f'{name} sent update {int(number)} after {self.last}')
            self.last += 1
        if self.open:
            self.text = self.text[-12:]  # which may be the beginning of a mark
        return len(numbers)


class Crowd:
    """All clients of a server, and its publisher."""

    def __init__(self, server, count):
        self.server = server
        self.selector = selectors.DefaultSelector()
        self.clients = []
        self.missing = 0  # deliveries
        for _ in range(count):
            client = Client(server)
            self.clients.append(client)
            self.selector.register(client.socket, selectors.EVENT_READ, client)
            if len(self.clients) % 100 == 0:
                self.read_until(lambda: all(client.open for client in self.clients[-100:]), 'open')
        self.read_until(lambda: all(client.open for client in self.clients), 'open')
        self.publisher = socket.create_connection(('127.0.0.1', server.port))
        self.publisher.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.publisher.settimeout(PATIENCE)

    def read_until(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                fail(f'{self.server.name}: not all clients are {what} after {PATIENCE} s')
            for key, _ in self.selector.select(0.1):
                self.missing -= key.data.read(self.server.name)

    def publish(self, numbers):
        for number in numbers:
            self.missing += len(self.clients)
            self.publisher.sendall(self.server.request(number))
            answer = self.publisher.recv(65536)
            if not re.match(rb'HTTP/1.1 20[0-2] ', answer):
                fail(f'{self.server.name} refuses an update: {answer[:500]!r}')
            self.read_until(lambda: self.missing == 0, f'sent update {number}')

    def close(self):
        self.publisher.close()
        for client in self.clients:
            client.socket.close()
        self.selector.close()


# ---- the measurement -------------------------------------------------------


def measure(kind, options):
    """One round: (CPU us per delivery, bytes per idle client, deliveries/s), CPU used in all."""
    server = kind(options)
    try:
        warm = Crowd(server, 10)  # what a server sets up once is no client's memory
        warm.close()
        time.sleep(0.5)
        before = server.memory()
        crowd = Crowd(server, options.clients)
        time.sleep(1)
        memory = (server.memory() - before) / options.clients
        crowd.publish(range(WARM_UP))
        cpu, begin = server.cpu(), time.monotonic()
        crowd.publish(range(WARM_UP, WARM_UP + options.updates))
        deliveries = options.clients * options.updates
        result = ((server.cpu() - cpu) / deliveries * 1e6, memory, deliveries / (time.monotonic() - begin))
        crowd.close()
        return result, server.cpu()
    finally:
        server.stop()


def busy():
    """(seconds of CPU that all programs have used, seconds)."""
    with open('/proc/stat') as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf('SC_CLK_TCK'), time.monotonic()


def read_options():
    parser = argparse.ArgumentParser(description='Compares servers of Server-Sent Events; see README.')
    parser.add_argument('--crierd', default='crierd')
    parser.add_argument('--nginx', default='nginx')
    parser.add_argument('--centrifugo', default='centrifugo')
    parser.add_argument('--mercure', default='mercure')
    parser.add_argument('--ntfy', default='ntfy')
    parser.add_argument('--node', default='node')
    parser.add_argument('--clients', type=int, default=2000)
    parser.add_argument('--updates', type=int, default=50, help='a round')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--servers', default=','.join(kind.name for kind in SERVERS))
    options = parser.parse_args()
    for program in ('crierd', 'nginx', 'mercure', 'centrifugo', 'ntfy', 'node'):
        setattr(options, program, shutil.which(getattr(options, program)))
    return options


def available(kind, options):
    return {'crierd': options.crierd, 'mercure': options.mercure, 'centrifugo': options.centrifugo, 'ntfy': options.ntfy,
            'nchan': options.nginx and os.path.exists('/usr/lib/nginx/modules/ngx_nchan_module.so'),
            'better-sse': options.node and os.path.exists(os.path.join(HERE, 'node_modules/better-sse'))}[kind.name]


def choose_servers(options):
    """The servers that are asked for and installed."""
    kinds = [kind for kind in SERVERS if kind.name in options.servers.split(',')]
    for kind in kinds:
        if not available(kind, options):
            print(f'{kind.name}: not installed, not measured')
    kinds = [kind for kind in kinds if available(kind, options)]
    if not kinds:
        fail('there is no server to measure')
    return kinds


def place(options):
    """Gives this program the last CPU, and the servers all others."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cpus[-1:])
    options.server_cpus = cpus[:-1] or cpus


def run_rounds(kinds, options):
    """The results of each server, by its name, and the seconds of CPU that all have used."""
    results = {kind.name: [] for kind in kinds}
    used = 0.0
    for number in range(options.rounds):
        start = number % len(kinds)
        for kind in kinds[start:] + kinds[:start]:
            result, cpu = measure(kind, options)
            results[kind.name].append(result)
            used += cpu
            print(f'round {number + 1}, {kind.name}: %.2f us, %.0f B, %.0f/s' % result, flush=True)
    return results, used


def summarize(column, digits):
    """The median of a column, and its ends."""
    if not column:
        return ''
    return f'{statistics.median(column):,.{digits}f} ({min(column):,.{digits}f} to {max(column):,.{digits}f})'


def print_table(results, options):
    print(f'\n{options.clients} clients, {options.updates} updates of 100 bytes, {options.rounds} rounds; medians '
          '(lowest to highest)')
    print(f'{"":12}{"CPU us/delivery":>28}{"/ crierd":>24}{"B/idle client":>30}')
    for name, rounds in results.items():
        ratios = [cpu / crierd for (cpu, _, _), (crierd, _, _) in zip(rounds, results.get('crierd', []))]
        cpus = summarize([cpu for cpu, _, _ in rounds], 1)
        memories = summarize([memory for _, memory, _ in rounds], 0)
        print(f'{name:12}{cpus:>28}{summarize(ratios, 2):>24}{memories:>30}')


def main():
    options = read_options()
    kinds = choose_servers(options)
    place(options)
    before, begin = busy()
    results, servers = run_rounds(kinds, options)
    after, end = busy()
    print_table(results, options)
    others = max(0, after - before - servers - time.process_time()) / (end - begin)
    print(f'Other programs used {others:.2f} of {os.cpu_count()} CPUs meanwhile.')


main()
