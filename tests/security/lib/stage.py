"""Processes of a secured deployment: a broker that gives rights to nobody, a Redis whose users are
deploy/redis/users.acl's, workers and commands. They end with the stage."""

import hashlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.realpath(os.path.join(HERE, "..", "..", ".."))
BROKER = os.path.join(ROOT, "tests", "kafka", "broker")
USERS = os.path.join(ROOT, "deploy", "redis", "users.acl")
WAIT_S = 60


def fail(message):
    print("failed: %s" % message)
    sys.exit(1)


def expect(condition, what):
    if not condition:
        fail(what)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read(path):
    with open(path, errors="replace") as file:
        return file.read()


def until(is_met, what, seconds=WAIT_S):
    deadline = time.monotonic() + seconds
    while not is_met():
        if time.monotonic() > deadline:
            fail("not within %d s: %s" % (seconds, what() if callable(what) else what))
        time.sleep(0.05)


def ini(sections):
    return "".join("[%s]\n%s\n" % (name, "".join("%s = %s\n" % item for item in keys.items()))
                   for name, keys in sections.items())


class Process:
    """What it says goes to a file."""

    def __init__(self, stage, name, arguments, **options):
        self.name = name
        self.path = os.path.join(stage.directory, name + ".log")
        with open(self.path, "ab") as log:
            self.process = subprocess.Popen(arguments, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, **options)

    def log(self):
        return read(self.path)

    def expect(self, *patterns):
        """One line that has all of them."""
        def is_there():
            return any(all(re.search(pattern, line) for pattern in patterns)
                       for line in self.log().splitlines())
        until(is_there, lambda: "%s says %s in\n%s" % (self.name, patterns, self.log()))

    def command_line(self):
        return read("/proc/%d/cmdline" % self.process.pid).replace("\0", " ")

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(WAIT_S)


class Stage:
    def __init__(self, scenesync):
        self.scenesync = scenesync
        self.directory = tempfile.mkdtemp(prefix="scenesync-security.")
        self.processes = []
        self.brokers = []
        self.secrets = {}  # by user of Redis
        for name in [name for name in os.environ if name.startswith("SCENESYNC_")]:
            del os.environ[name]  # would be a setting

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def start(self, name, *arguments, **options):
        process = Process(self, name, arguments, **options)
        self.processes.append(process)
        return process

    def run(self, *arguments, check=True, **options):
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=WAIT_S, **options)
        if check and done.returncode != 0:
            fail("%s: exit code %d\n%s%s" % (arguments, done.returncode, done.stdout, done.stderr))
        return done

    def start_broker(self, name, version=None):
        """Returns the folder with what clients need (tests/kafka/secure.sh), its address for
        administrators among them, or None where that version cannot be had."""
        environment = dict(os.environ)
        if version is not None:
            environment["KAFKA_VERSION"] = version
            environment.pop("KAFKA_HOME", None)
        folder = self.path(name)
        done = self.run(BROKER, "start", folder, "--owner", str(os.getpid()), "--secure",
                        check=False, env=environment)
        if done.returncode == 69:
            print(done.stderr)
            return None
        expect(done.returncode == 0, done.stderr)
        self.brokers.append(folder)
        return folder

    def start_redis(self, *arguments):
        """On a port, a unix socket, and with the users of deploy/."""
        users = read(USERS)
        for user, place in (("admin", "ADMIN"), ("scenesync", "WORKER"),
                            ("scenesync-verify", "VERIFY"), ("scenesync-monitor", "MONITOR")):
            self.secrets[user] = secrets.token_urlsafe(18)
            self.write(user + ".redis-password", self.secrets[user] + "\n")
            digest = hashlib.sha256(self.secrets[user].encode()).hexdigest()
            users = users.replace("SHA256-OF-THE-%s-PASSWORD" % place, digest)
        self.redis_port = free_port()
        self.redis_socket = self.path("redis.sock")
        process = self.start("redis", "redis-server", "--port", str(self.redis_port),
                             "--bind", "127.0.0.1", "--unixsocket", self.redis_socket,
                             "--save", "", "--dir", self.directory,
                             "--aclfile", self.write("users.acl", users), *arguments)
        process.expect("Ready to accept connections")

    def redis(self, *arguments, user="admin"):
        environment = dict(os.environ, REDISCLI_AUTH=self.secrets[user])
        return self.run("redis-cli", "-s", self.redis_socket, "--user", user, *arguments,
                        env=environment).stdout.strip()

    def redis_section(self, user, url=None):
        return {"url": url or "redis://127.0.0.1:%d/0" % self.redis_port, "username": user,
                "password_file": self.path(user + ".redis-password")}

    def end(self):
        for process in reversed(self.processes):
            process.end()
        for folder in self.brokers:
            self.run(BROKER, "kill", folder, check=False)
        if "TEST_KEEP" in os.environ:
            print("kept: %s" % self.directory)
        else:
            shutil.rmtree(self.directory)
