"""A page as a PDF, printed by a Chromium that is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from scaling.files import write_atomic

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
"""Names under which Chromium and its kin are installed."""
PATIENCE: Final = 120.0
"""Seconds after which a browser that has not printed is stopped (assumption)."""


class CannotPrint(Exception):
    """No PDF was made; the message says why."""


def print_page(page: Path) -> Path:
    """Print ``page`` to a PDF beside it, index.html to report.pdf, and return its path. Raises CannotPrint."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise CannotPrint(f"report.pdf needs a browser: none of {', '.join(BROWSERS)} is installed")
    output = page.with_name("report.pdf") if page.name == "index.html" else page.with_suffix(".pdf")
    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder) / "report.pdf"
        command = [
            browser,
            "--headless",
            "--no-sandbox",  # containers have no user namespaces; the page is our own and loads nothing
            "--disable-gpu",
            "--no-pdf-header-footer",
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={printed}",
            page.resolve().as_uri(),
        ]
        try:
            subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE)
            write_atomic(output, printed.read_bytes())
        except (subprocess.SubprocessError, OSError) as error:
            raise CannotPrint(f"report.pdf was not made: {browser} failed ({type(error).__name__})") from error
    return output
