// Figures: what a point stands for, families that are toggled in all of them, and saving. Uses `save` and `button` of page.js.
const NEAR = 12; // pixels from a point at which it is meant
for (const title of document.querySelectorAll("figure svg title")) {
  // Else the browser would show its own, slower and without the ones near by.
  title.parentElement.dataset.told = title.textContent;
  title.remove();
}
const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
tip.setAttribute("aria-hidden", "true"); // the tables hold the same numbers
document.body.append(tip);

const off = new Set();
const owned = [...document.querySelectorAll("figure svg [data-family]")];
const families = [...new Set(owned.map((mark) => mark.dataset.family))];
const chips = document.createElement("p");
const toggle = (family) => {
  if (!off.delete(family)) off.add(family);
  for (const mark of owned) mark.classList.toggle("off", off.has(mark.dataset.family));
  for (const chip of chips.querySelectorAll("button")) chip.setAttribute("aria-pressed", String(!off.has(chip.textContent)));
};
const figures = document.getElementById("figures");
if (figures && families.length > 1) {
  chips.className = "families";
  chips.append("Families, a click fades one in all figures:");
  for (const family of families) {
    const chip = Object.assign(document.createElement("button"), { type: "button", textContent: family });
    chip.setAttribute("aria-pressed", "true");
    chip.addEventListener("click", () => toggle(family));
    chips.append(chip);
  }
  figures.querySelector("h2").after(chips);
}

for (const svg of document.querySelectorAll("figure svg")) {
  let points = [];
  const measure = () => {
    const box = svg.getBoundingClientRect();
    points = [...svg.querySelectorAll("[data-told]")].map((mark) => {
      const own = mark.getBoundingClientRect();
      return { mark, x: own.x + own.width / 2 - box.x, y: own.y + own.height / 2 - box.y };
    });
  };
  const toldAt = (event) => {
    if (event.target.dataset.told) return event.target;
    const box = svg.getBoundingClientRect();
    let [found, least] = [null, NEAR];
    for (const { mark, x, y } of points) {
      const away = Math.hypot(event.clientX - box.x - x, event.clientY - box.y - y);
      if (away < least) [found, least] = [mark, away];
    }
    return found;
  };
  const light = (family) => {
    for (const band of svg.querySelectorAll("[data-unseen]")) band.classList.toggle("lit", band.dataset.family === family);
  };
  const show = (event) => {
    if (!points.length) measure();
    const mark = toldAt(event);
    tip.hidden = !mark;
    light((mark ?? event.target.closest("[data-family]"))?.dataset.family);
    if (!mark) return;
    tip.textContent = mark.dataset.told;
    const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - tip.offsetWidth - 8);
    const above = event.clientY - tip.offsetHeight - 10;
    tip.style.left = `${Math.max(left, 4)}px`;
    tip.style.top = `${above > 0 ? above : event.clientY + 18}px`;
  };
  svg.addEventListener("pointerenter", measure);
  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerleave", () => {
    tip.hidden = true;
    light();
  });
  svg.addEventListener("click", (event) => {
    const mark = toldAt(event);
    // A finger has no hover: its first use of a point is to read it.
    if (mark && event.pointerType === "touch") return show(event);
    const family = (mark ?? event.target.closest("[data-family]"))?.dataset.family;
    if (family) toggle(family);
  });
}

const standalone = (svg) => {
  const copy = svg.cloneNode(true);
  const { width, height } = svg.viewBox.baseVal;
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.removeAttribute("style");
  for (const mark of copy.querySelectorAll("[data-told]")) {
    const title = document.createElementNS(mark.namespaceURI, "title");
    title.textContent = mark.dataset.told;
    mark.append(title);
    mark.removeAttribute("data-told");
  }
  return { text: new XMLSerializer().serializeToString(copy), width, height };
};
const savePng = (svg, name) => {
  const { text, width, height } = standalone(svg);
  const image = new Image();
  image.onload = () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 3 * width, height: 3 * height });
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#ffffff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => save(blob, name));
  };
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text.replaceAll(/light-dark\((#\w+), #\w+\)/g, "$1"));
};
const printAlone = (figure, svg) => {
  // The browser's own print to PDF: lines stay lines and text stays text, on a sheet of the figure's size.
  const { width, height } = svg.viewBox.baseVal;
  const sheet = document.createElement("style");
  sheet.textContent = `@page { size: ${Math.ceil(width) + 24}pt ${Math.ceil(height) + 28}pt; margin: 12pt; }`;
  const title = document.title;
  document.head.append(sheet);
  document.documentElement.classList.add("one-figure");
  figure.classList.add("printed");
  document.title = figure.id;
  addEventListener("afterprint", () => {
    sheet.remove();
    document.documentElement.classList.remove("one-figure");
    figure.classList.remove("printed");
    document.title = title;
  }, { once: true });
  print();
};
const unpacked = (packed) => {
  const bytes = Uint8Array.from(atob(packed), (one) => one.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).blob();
};
for (const figure of document.querySelectorAll("figure")) {
  const svg = figure.querySelector("svg");
  if (!svg) continue;
  const row = Object.assign(document.createElement("p"), { className: "save" });
  row.append("Save:");
  row.append(button("SVG", `Save ${figure.id} as SVG`, () => save(new Blob([standalone(svg).text], { type: "image/svg+xml" }), `${figure.id}.svg`)));
  row.append(button("PNG", `Save ${figure.id} as PNG`, () => savePng(svg, `${figure.id}.png`)));
  row.append(button("PDF", `Print ${figure.id} alone, to a PDF`, () => printAlone(figure, svg)));
  if (figure.dataset.csv && "DecompressionStream" in window) {
    row.append(button("CSV", `Save the numbers of ${figure.id} as CSV`, async () => save(await unpacked(figure.dataset.csv), `${figure.id}.csv`)));
  }
  figure.append(row);
}
