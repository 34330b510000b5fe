"""A page in headless Chromium: how it lays out at a width, light or dark, and what axe-core finds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_LOOK = """
const use = () => {
  const owned = [...document.querySelectorAll("figure svg [data-family]")];
  const marks = (family) => owned.filter((one) => one.dataset.family === family);
  const point = document.querySelector("figure svg [data-told]");
  const { x, y, width, height } = point.getBoundingClientRect();
  const at = { bubbles: true, clientX: x + width / 2, clientY: y + height / 2 };
  point.dispatchEvent(new PointerEvent("pointermove", at));
  const tip = document.querySelector(".tip");
  const told = tip.hidden ? "" : tip.textContent;
  const family = point.dataset.family;
  point.dispatchEvent(new MouseEvent("click", at));
  const faded = marks(family).filter((one) => one.classList.contains("off"));
  const figures = new Set(faded.map((one) => one.closest("figure").id)).size;
  const chip = [...document.querySelectorAll(".families button")].find((one) => one.textContent === family);
  const pressed = chip.getAttribute("aria-pressed");
  chip.click();
  const left = document.querySelectorAll(".off").length;
  window.print = () => {};
  document.querySelector('[aria-label$="alone, to a PDF"]').click();
  const alone = document.querySelectorAll(".one-figure .printed").length;
  dispatchEvent(new Event("afterprint"));
  const after = document.querySelectorAll(".one-figure, .printed").length;
  return { told, family, faded: faded.length, all: marks(family).length, figures, pressed, left, alone, after };
};
const own = [...document.querySelectorAll(".scroll")];
const wide = own.filter((box) => box.scrollWidth > box.clientWidth + 1);
axe.run(document, { runOnly: ["wcag2a", "wcag2aa"] }).then(({ violations }) => {
  const used = use();
  const found = {
    used,
    width: innerWidth,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    ground: getComputedStyle(document.body).backgroundColor,
    sideways: document.documentElement.scrollWidth - innerWidth,
    unhinted: wide.filter((box) => !box.previousElementSibling?.classList.contains("hint")).length,
    hinted: wide.length,
    saved: document.querySelectorAll("figure .save button").length,
    requests: performance.getEntriesByType("resource").map((one) => one.name).filter((name) => !name.startsWith("data:")),
    violations: violations.map((v) => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)]),
  };
  parent.postMessage(JSON.stringify(found), "*");
});
"""
_FRAME = """<!doctype html><html lang="en"><meta name="color-scheme" content="light dark"><title>frame</title>
<script>addEventListener("message", ({{ data }}) => {{
  document.body.append(Object.assign(document.createElement("pre"), {{ id: "found", textContent: data }}));
}});</script>
<body><iframe src="{source}" title="page" style="width: {width}px; height: 900px; border: 0"></iframe></body></html>
"""


def look(page: Path, folder: Path, width: int, dark: bool) -> dict[str, Any]:
    """Open a copy of ``page`` in ``folder`` with axe-core in it, at ``width`` pixels; what _LOOK and the console say."""
    import axe_core_python

    axe = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text("utf-8")
    inner, outer = folder / f"inner-{width}-{dark}.html", folder / f"outer-{width}-{dark}.html"
    text = page.read_text("utf-8").replace("</body>", f"<script>{axe}</script><script>{_LOOK}</script></body>")
    inner.write_text(text, "utf-8")
    # A window of Chromium is never narrower than 500 pixels, a frame is as narrow as it is told to be.
    outer.write_text(_FRAME.format(source=inner.name, width=width), "utf-8")
    done = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            f"--window-size={width + 40},1000",
            "--enable-logging=stderr",
            "--virtual-time-budget=60000",
            "--dump-dom",
            outer.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    told = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert told, done.stderr[-2000:]
    return json.loads(unescape(told[1])) | {"console": re.findall(r".*CONSOLE.*", done.stderr)}
