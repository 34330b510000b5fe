"""Python imports this at its start where it is on the path: `python -m scaling` and `-m snakemake` go to the command server.

Other processes go on as they are.
"""

import os
import sys

MODULES = ("scaling", "snakemake")


def ask() -> int:
    """Let the server run this process's command, with its streams, and pass signals on; the exit code."""
    import json
    import signal
    import socket

    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ["COMMAND_SERVER"])
    _, _, module, *words = sys.orig_argv
    request = {"module": module, "words": words, "folder": os.getcwd(), "environment": dict(os.environ)}
    socket.send_fds(connection, [b"\n"], [0, 1, 2])
    connection.sendall(json.dumps(request).encode() + b"\n")
    answers = connection.makefile("r")
    answers.readline()  # until it has begun, a signal ends this process, and with it the command
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: connection.sendall(bytes([received])))
    return json.loads(answers.readline())["code"]


if "COMMAND_SERVER" in os.environ and len(sys.orig_argv) > 2 and sys.orig_argv[1] == "-m" and sys.orig_argv[2] in MODULES:
    code = ask()
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)
