"""A fake nvidia-smi: it answers queries as the real one does, for tests on machines without a GPU."""

from pathlib import Path

A100 = {
    "uuid": "GPU-11111111-2222-3333-4444-555555555555",
    "name": "NVIDIA A100",
    "compute_mode": "Default",
    "memory.total": "40960",
    "memory.free": "40000",
    "compute_cap": "8.0",
    "driver_version": "580.65.06",
    "mig.mode.current": "Disabled",
}


def fake_smi(folder: Path, *gpus: dict[str, str], listing: str = "") -> Path:
    """Put a program nvidia-smi into ``folder``, which knows ``gpus`` and prints ``listing`` when asked for a list."""
    folder.mkdir(exist_ok=True)
    (folder / "gpus.py").write_text(f"GPUS = {list(gpus)!r}\nLISTING = {listing!r}\n")
    program = folder / "nvidia-smi"
    program.write_text(
        "#!/usr/bin/env python3\n"
        "import sys, pathlib\n"
        "exec((pathlib.Path(__file__).parent / 'gpus.py').read_text())\n"
        "if '-L' in sys.argv:\n"
        "    print(LISTING)\n"
        "    sys.exit()\n"
        "fields = next(a for a in sys.argv if a.startswith('--query-gpu=')).split('=')[1].split(',')\n"
        "print('\\n'.join(', '.join(gpu[field] for field in fields) for gpu in GPUS))\n"
    )
    program.chmod(0o755)
    return program
