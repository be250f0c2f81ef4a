"""Commands without their start: a process that has everything loaded is forked for each.

`python -m tests.docs.quick SOCKET` listens; `client(...)` writes a program that hands its words,
folder, environment and standard files over, and ends with the exit code of the command.
"""

from __future__ import annotations

import array
import fcntl
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
from pathlib import Path

_CLIENT = """#!{python} -ISE
import array, json, os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect({address!r})
wish = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
files = array.array("i", [0, 1, 2])
line.sendmsg([len(wish).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
line.sendall(wish)
code = line.recv(1)
sys.exit(code[0] if code else 70)
"""


def client(path: Path, address: Path) -> None:
    path.write_text(_CLIENT.format(python=sys.executable, address=str(address)), "utf-8")
    path.chmod(0o755)


def main(address: str) -> None:
    import kessai.cli
    import kessai.embedded

    for module in pkgutil.walk_packages(kessai.cli.__path__, "kessai.cli."):
        importlib.import_module(module.name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen()
        print("ready", flush=True)  # noqa: T201 - who started this waits for the line
        while True:
            line, _ = door.accept()
            with line:
                if os.fork() == 0:
                    door.close()
                    _run(line)


def _run(line: socket.socket) -> None:
    """Never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    code = 70
    try:
        words, folder, environment = _take(line)
        # Who asked is gone: so is this, by the signal's own default.
        fcntl.fcntl(line, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(line, fcntl.F_SETFL, fcntl.fcntl(line, fcntl.F_GETFL) | os.O_ASYNC)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["kessai", *words]
        code = _call()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        line.send(bytes([code & 255]))
        os._exit(code)


def _take(line: socket.socket) -> tuple[list[str], str, dict[str, str]]:
    files = array.array("i")
    head, extra, *_ = line.recvmsg(4, socket.CMSG_LEN(3 * files.itemsize))
    files.frombytes(extra[0][2][: 3 * files.itemsize])
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    wish = b""
    while len(wish) < int.from_bytes(head, "big"):
        if not (more := line.recv(65536)):
            raise EOFError("the client went away")
        wish += more
    words, folder, environment = json.loads(wish)
    return words, folder, environment


def _call() -> int:
    from kessai.cli import app

    try:
        app(prog_name="kessai")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    main(sys.argv[1])
