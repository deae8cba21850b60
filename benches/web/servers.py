"""nginx, h2o and lighttpd out of apt's packages, unpacked and not installed, each set up for files as its manual says: one worker, no
access log, files or their descriptors kept for a moment where it can do that.
SPDX-License-Identifier: MIT
"""
import functools
import glob
import os
import pwd
import re
import socket
import subprocess
import sys
import time

# Each {word} is filled in; what else stands in braces is doubled.
NGINX = """
daemon off; master_process off; pid {work}/pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
    open_file_cache max=1000 inactive=60s; open_file_cache_valid 1s; open_file_cache_min_uses 1;
    client_body_temp_path {work}/a; proxy_temp_path {work}/b; fastcgi_temp_path {work}/c;
    uwsgi_temp_path {work}/d; scgi_temp_path {work}/e;
    types {{ text/css css; }}
    server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""
H2O = """
num-threads: 1
user: {user}
listen: {{host: 127.0.0.1, port: {port}}}
hosts:
  default:
    paths:
      /:
        file.dir: {folder}
"""
LIGHTTPD = """
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
server.max-keep-alive-requests = 65535
server.stat-cache-engine = "simple"
mimetype.assign = (".css" => "text/css")
"""
# package, program in it, its configuration, how it is run
SERVERS = {
    "nginx": ("nginx-light", "usr/sbin/nginx", NGINX, ["-p", "{work}", "-e", "stderr", "-c", "{config}"]),
    "h2o": ("h2o", "usr/bin/h2o", H2O, ["-c", "{config}"]),
    "lighttpd": ("lighttpd", "usr/sbin/lighttpd", LIGHTTPD, ["-D", "-f", "{config}", "-m", "{modules}"]),
}


def unpack(package, place):
    """Fetch a package and what it needs that is not installed, and unpack all to a folder. No root, no script of theirs runs."""
    said = subprocess.run(["apt-get", "-s", "--no-install-recommends", "install", package], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    os.makedirs(place, exist_ok=True)
    for name in re.findall(r"^Inst (\S+)", said, re.M):
        subprocess.run(["apt-get", "-qq", "download", name], check=True, cwd=place, stderr=subprocess.DEVNULL)
    for deb in glob.glob(place + "/*.deb"):
        subprocess.run(["dpkg-deb", "-x", deb, place], check=True)
        os.remove(deb)


def free_port():
    with socket.socket() as any_socket:
        any_socket.bind(("127.0.0.1", 0))
        return any_socket.getsockname()[1]


def find(name, place):
    """The program, the system's or an unpacked one. None: there is none, which is said."""
    package, program, _, _ = SERVERS[name]
    for root in ("/", place):
        if os.path.exists(os.path.join(root, program)):
            return root
    try:
        unpack(package, place)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"bench: without {name}: {error}", file=sys.stderr)
        return None
    return place


def prepare(name, place, folder):
    """What starts the server with the folder's files; None where it cannot be had."""
    root = find(name, os.path.join(place, name))
    return root and functools.partial(start, name, root, folder)


def start(name, root, folder):
    """Start it on the first core. Returns the process and its port once it answers."""
    _, program, config, words = SERVERS[name]
    work = os.path.join(folder, "." + name)
    os.makedirs(work, exist_ok=True)
    values = {"work": work, "folder": folder, "port": str(free_port()), "config": work + "/config",
              "user": pwd.getpwuid(os.getuid()).pw_name, "modules": os.path.join(root, "usr/lib/lighttpd")}
    with open(values["config"], "w", encoding="ascii") as file:
        file.write(config.format(**values))
    libraries = glob.glob(os.path.join(root, "usr/lib/*-linux-gnu*")) if root != "/" else []
    process = subprocess.Popen(["taskset", "-c", "0", os.path.join(root, program), *(word.format(**values) for word in words)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)})
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", int(values["port"]))).close()
            return process, values["port"]
        except OSError:
            time.sleep(0.05)
    sys.exit(f"bench: {name} did not start")
