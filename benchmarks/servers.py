"""The two servers to which the clients send: nginx, and one that waits an exact time."""

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from measure import Cores, MeasureError, environment, pin
from waiting import BODY

HERE = Path(__file__).parent
# One process that does not fork, so ending it ends everything. Request bodies are read and dropped, so the server costs
# nothing. The limits on connections are higher than any run needs. There is one TLS cipher, because each client would
# otherwise choose its own.
CONFIG = """
daemon off;
master_process off;
pid {scratch}/nginx.pid;
error_log {scratch}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {scratch}/body;
  proxy_temp_path {scratch}/proxy;
  fastcgi_temp_path {scratch}/fastcgi;
  uwsgi_temp_path {scratch}/uwsgi;
  scgi_temp_path {scratch}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  upstream origin {{
    server 127.0.0.1:{plain};
    keepalive 256;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{proxy} backlog=1024;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location / {{ proxy_pass http://origin; }}
  }}
  server {{
    listen 127.0.0.1:{plain} backlog=1024;
    listen 127.0.0.1:{tls} ssl backlog=1024;
    ssl_certificate {scratch}/server.pem;
    ssl_certificate_key {scratch}/server.pem;
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;
    location = /score {{
      default_type application/json;
      return 200 '{body}';
    }}
    location = /echo {{
      default_type application/json;
      add_header x-ms-client-request-id $http_x_ms_client_request_id;
      return 200 '{body}';
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """The addresses of nginx: as a server, and as a proxy (`HOST:PORT`)."""

    plain: str
    tls: str
    proxy: str


@dataclass(slots=True, kw_only=True)
class Waiting:
    """The address of the waiting server and, after it has ended, the waiting times of its replies."""

    url: str
    waits: dict[str, float | None] = field(default_factory=dict)


def nginx_version() -> str | None:
    """Return nginx's version, None if nginx is missing."""
    program = shutil.which("nginx", path=search_path())
    if program is None:
        return None
    said = subprocess.run([program, "-v"], capture_output=True, text=True, timeout=10, check=False).stderr
    return said.strip().rpartition("/")[2] or "of unknown version"


def search_path() -> str:
    """Return PATH with the directories in which a system has its servers."""
    return environment().get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


@contextmanager
def nginx(scratch: Path, *, core: int | None, reply: bytes = BODY) -> Iterator[Origins]:
    """Run nginx on free loopback ports (plain, TLS 1.3, and as a proxy) with one reply to every `/score`.

    Args:
        scratch: an empty directory for configuration, certificate and log.
        core: its core; None: the system chooses.
        reply: body of the reply.

    Raises:
        MeasureError: nginx did not start, or sends another reply; the line is nginx's own.
    """
    try:
        import trustme
    except ImportError as error:
        raise MeasureError("trustme: not installed: pip install -r benchmarks/requirements.txt") from error
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(scratch / "server.pem")
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    log = scratch / "error.log"
    program = shutil.which("nginx", path=search_path()) or "nginx"
    for _ in range(3):  # Another process may take a port between our look and nginx's bind.
        plain, tls, proxy = free_port(), free_port(), free_port()
        body = reply.decode().replace("\\", "\\\\")
        config = scratch / "nginx.conf"
        config.write_text(CONFIG.format(scratch=scratch, plain=plain, tls=tls, proxy=proxy, body=body))
        process = subprocess.Popen(
            [program, "-p", str(scratch), "-c", str(config), "-e", str(log)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=pin(core),
        )
        try:
            if answers(process, plain):
                check_reply(http.client.HTTPConnection("127.0.0.1", plain, timeout=5), reply)
                check_reply(http.client.HTTPSConnection("127.0.0.1", tls, timeout=5, context=trusted), reply)
                yield Origins(
                    plain=f"http://127.0.0.1:{plain}", tls=f"https://127.0.0.1:{tls}", proxy=f"127.0.0.1:{proxy}"
                )
                return
        finally:
            stop(process)
    said = log.read_text().splitlines() if log.exists() else []
    raise MeasureError(f"nginx: did not start: {said[-1] if said else 'nothing said'}")


@contextmanager
def waiting(cores: Cores, *, delay_ms: float, predictions: int = 2) -> Iterator[Waiting]:
    """Run the waiting server; after the block, the value's `waits` has the waiting times of its replies.

    Args:
        cores: on a separate core the server spins; on the client's core it sleeps.
        delay_ms: time from a request's last byte to its reply.
        predictions: number of predictions in each reply.

    Raises:
        MeasureError: it did not start, or crashed; its traceback is on stderr.
    """
    way = "sleep" if cores.server == cores.client else "spin"
    process = subprocess.Popen(
        [sys.executable, str(HERE / "waiting.py"), str(delay_ms), way, str(predictions)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=pin(cores.server),
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise MeasureError("waiting server: did not start")
        server = Waiting(url=f"http://127.0.0.1:{port}/score")
        yield server
        said, _ = process.communicate(timeout=10)
        if process.returncode != 0:
            raise MeasureError(f"waiting server: exit {process.returncode}")
        server.waits.update(json.loads(said))
    finally:
        stop(process)


def free_port() -> int:
    """Return a free loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until *port* accepts connections; False if the process ended or ten seconds passed."""
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return True
    return False


def check_reply(connection: http.client.HTTPConnection, body: bytes) -> None:
    """Check that the server sends the expected reply."""
    try:
        connection.request("POST", "/score", body=b"{}", headers={"Content-Type": "application/json"})
        reply = connection.getresponse()
        if (reply.status, reply.read()) != (200, body):
            raise MeasureError(f"nginx: answered {reply.status}, not the reply that it was given")
    finally:
        connection.close()


def stop(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """End one of our servers, by force if it does not end."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
