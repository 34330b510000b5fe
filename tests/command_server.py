"""Runs `python -m scaling` and `python -m snakemake` for the tests, each in a forked child: what they import is imported once.

A start of Python with torch and timm costs 4 to 15 s, a fork of this process a tenth of one. The child takes over the folder,
the environment and the standard streams of the process that asked, imports the modules that PLUGINS names (faults that have to
be planted inside), and runs the module as `python -m` does; its exit code is the command's. Where another copy of the package
comes first on the path, the child forgets this one.

Whoever asks connects to the socket, sends its streams, and one line of JSON {"module", "words", "folder", "environment"}. The
answers are {"pid"} and, once the child has ended, {"code"}. Each byte sent in between is the number of a signal for the child;
a connection that closes kills it. tests/served/sitecustomize.py asks for every such process that a checkout starts.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback
from pathlib import Path

STREAMS = 3
SERVED = Path(__file__).with_name("served")
"""The folder that is on Python's path where processes are left to the server."""


def own_paths(environment: dict[str, str]) -> list[str]:
    """Where a test keeps a package of its own."""
    return [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path and path != str(SERVED)]


def run(request: dict, streams: list[int]) -> int:
    """What a child does; its exit code."""
    os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for target, source in enumerate(streams):
        os.dup2(source, target)
    sys.argv = [request["module"], *request["words"]]
    first = [request["folder"], *own_paths(request["environment"])]  # as `python -m` has it
    sys.path[:1] = first
    if any(os.path.isdir(os.path.join(path, "scaling")) for path in first):
        for name in [name for name in sys.modules if name.split(".")[0] == "scaling"]:
            del sys.modules[name]
        importlib.invalidate_caches()
    try:
        for name in os.environ.get("PLUGINS", "").split():
            importlib.import_module(name)
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
        return 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def attend(connection: socket.socket) -> None:
    """Run one command, pass signals on to it, and answer."""
    _, streams, _, _ = socket.recv_fds(connection, 1, STREAMS)
    request = json.loads(connection.makefile("r").readline())
    child = os.fork()
    if not child:
        connection.close()
        os._exit(run(request, streams))
    for stream in streams:
        os.close(stream)
    connection.sendall(json.dumps({"pid": child}).encode() + b"\n")
    ended = os.pidfd_open(child)
    while True:
        ready, _, _ = select.select([connection, ended], [], [])
        if ended in ready:
            break
        signals = connection.recv(16)
        for number in signals:
            os.kill(child, number)
        if not signals:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            return
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(json.dumps({"code": code}).encode() + b"\n")


def serve(path: str) -> None:
    """Answer on the socket ``path`` until standard input closes."""
    import plotnine  # noqa: F401
    import polars  # noqa: F401
    import scipy.optimize  # noqa: F401
    import snakemake.cli  # noqa: F401
    import timm  # noqa: F401
    import torch._dynamo  # noqa: F401  (the first optimiser imports it)

    import scaling.cli.commands
    import scaling.jobs.dag
    import scaling.jobs.runner
    import scaling.training.attempt  # noqa: F401

    gc.freeze()  # or the first collection of each child would copy all that was imported
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        connection, _ = listener.accept()
        if not os.fork():
            listener.close()
            try:
                attend(connection)
            finally:
                os._exit(0)
        connection.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


class CommandServer:
    """The server in a process of its own, and its socket."""

    def __init__(self, socket_file: Path) -> None:
        self.socket_file = socket_file
        command = [sys.executable, __file__, str(socket_file)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def ask(self, module: str, words: list[str], folder: Path, environment: dict[str, str], output: int) -> socket.socket:
        """Start a command whose output goes to the descriptor ``output``; the connection on which the answers come."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.socket_file))
        with open(os.devnull) as nothing:
            socket.send_fds(connection, [b"\n"], [nothing.fileno(), output, output])
        request = {"module": module, "words": words, "folder": str(folder), "environment": environment}
        connection.sendall(json.dumps(request).encode() + b"\n")
        return connection

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.wait()


if __name__ == "__main__":
    serve(sys.argv[1])
