"""Runs `scaling ...` commands for the tests, each in a forked child: what a command imports is imported once.

A start of Python with torch and timm costs 4 to 15 s, a fork of this process a tenth of one. The child changes its folder and
its environment, imports the modules that PLUGINS names (faults that have to be planted inside), and calls the program's own
entry point with the words of the command line; its exit code is the command's. Requests and answers are lines of JSON:
{"words", "folder", "environment", "output"} -> {"pid"}, and once it has ended {"code"}.
"""

import importlib
import json
import os
import sys
import traceback


def child(request: dict) -> int:
    os.setsid()
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    sink = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (sink, 1), (sink, 2)):
        os.dup2(source, target)
    sys.argv = ["scaling", *request["words"]]
    try:
        for name in os.environ.get("PLUGINS", "").split():
            sys.path.insert(0, request["folder"])
            importlib.import_module(name)
        from scaling.cli.commands import main

        main()
        return 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def serve() -> None:
    import plotnine  # noqa: F401
    import polars  # noqa: F401
    import scipy.optimize  # noqa: F401
    import timm  # noqa: F401

    import scaling.cli.commands
    import scaling.jobs.runner
    import scaling.training.attempt  # noqa: F401

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            os._exit(child(request))
        print(json.dumps({"pid": pid}), file=answers)
        print(json.dumps({"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}), file=answers)


if __name__ == "__main__":
    serve()
