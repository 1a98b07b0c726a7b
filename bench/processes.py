"""The processes of a measurement: started on free ports, watched by way of /proc, and ended one by one."""

import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

START_SECONDS_MAX = 30
END_SECONDS_MAX = 30
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """What went wrong, in words for the reader of the terminal."""


class Processes:
    """Everything that was started, ended in reverse order and by process id when the block is left."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.started: list[subprocess.Popen] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            end(process)

    def start(self, name: str, *command: str) -> subprocess.Popen:
        # The settings are on the command line, and nothing in the caller's environment adds to them.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ASIDE_")}
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.started.append(process)
        return process

    def start_memcached(self, port: int) -> subprocess.Popen:
        command = ["memcached", "--listen=127.0.0.1", f"--port={port}", "--udp-port=0"]
        if os.geteuid() == 0:
            users = {user.pw_name for user in pwd.getpwall()}
            command.append("--user=" + ("memcache" if "memcache" in users else "nobody"))
        return self.start("memcached", *command)

    def start_nginx(self, template: Path, **ports: int) -> subprocess.Popen:
        folder = self.folder / template.stem
        configuration = fill_in(template, folder, **ports)
        return self.start(template.stem, "nginx", "-p", str(folder), "-c", str(configuration), "-e", "error.log")


def measured(measure: Callable[[Path, Processes], None]) -> int:
    """Measures in a temporary folder, ends what was started whatever happens, and says what failed. The exit status."""
    # An end from outside takes the same way out as an error, past the processes that were started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="aside-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # Workers of an nginx that root has started are somebody else, and keep files in it.
        try:
            with Processes(folder) as processes:
                measure(folder, processes)
        except Failure as failure:
            print(f"bench: {failure}", file=sys.stderr)
            for log in sorted(folder.rglob("*.log")):
                for line in log.read_text(errors="replace").splitlines()[-5:]:
                    print(f"  {log.relative_to(folder)}: {line}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
    return 0


def fill_in(template: Path, folder: Path, **ports: int) -> Path:
    """A copy of a configuration in a folder of its own, with a port in the place of each of their names."""
    text = template.read_text()
    for name, port in ports.items():
        text = text.replace(name, str(port))
    folder.mkdir()
    (folder / template.name).write_text(text)
    return folder / template.name


def end(process: subprocess.Popen) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different because all are held until the last is found."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def wait_for_port(process: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failure(f"{process.args[0]} ended with status {process.returncode} instead of listening")
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
    raise Failure(f"{process.args[0]} does not listen after {START_SECONDS_MAX} s")


def status_fields(process: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on; the second, the name, may have spaces in it."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def with_children(parent: int) -> list[int]:
    """A process and those that it started, such as nginx and its workers."""
    children = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int(status_fields(int(folder.name))[1]) == parent:
                children.append(int(folder.name))
        except FileNotFoundError:
            continue  # It ended between the listing and the look.
    return [parent, *children]


def cpu_seconds(processes: list[int]) -> float:
    """The time that all threads of the processes have been on a core so far, in user code and in the kernel."""
    ticks = 0
    for process in processes:
        try:
            user, system = status_fields(process)[11:13]
        except FileNotFoundError:
            continue  # It has ended, as one of nginx's does after a minute.
        ticks += int(user) + int(system)
    return ticks / TICKS_PER_SECOND


def resident_kibibytes(process: int) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise Failure(f"process {process} has no VmRSS")
