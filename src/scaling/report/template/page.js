"use strict";
// The page is whole without this: it sorts, filters and copies tables, and says where there is more sideways.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = text === "" ? NaN : Number(text.replace(/ %$/, ""));
    return heads[column].classList.contains("n") ? number : text;
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      const rows = [...body.rows].map((row) => [value(row, column), row]);
      rows.sort(([a], [b]) => {
        if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
        return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
for (const input of document.querySelectorAll("input[data-filter]")) {
  const rows = [...document.getElementById(input.dataset.filter).tBodies[0].rows];
  const count = document.querySelector(`[data-count="${input.dataset.filter}"]`);
  input.closest("[hidden]").hidden = false;
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = [...row.cells].map((cell) => cell.textContent.trim().toLowerCase());
      row.hidden = !words.every((word) => text.some((cell) => cell.includes(word)));
      shown += !row.hidden;
    }
    count.textContent = words.length ? `${shown} of ${rows.length}` : "";
  });
}

const save = (blob, name) => {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
const button = (text, label, act) => {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
};
for (const table of document.querySelectorAll("table.sortable")) {
  const cells = (row) => [...row.cells].map((cell) => `"${(cell.dataset.value || cell.innerText).replace(/\s+/g, " ").trim().replaceAll('"', '""')}"`);
  const csv = () => [...table.rows].filter((row) => !row.hidden).map((row) => cells(row).join(",")).join("\n");
  const row = Object.assign(document.createElement("p"), { className: "save" });
  row.append("Table:", button("CSV", "Save the table as CSV", () => save(new Blob([csv()], { type: "text/csv" }), "table.csv")));
  if (navigator.clipboard) row.append(button("copy", "Copy the table as CSV", () => navigator.clipboard.writeText(csv())));
  table.closest(".scroll").after(row);
}
const mark = () => {
  for (const box of document.querySelectorAll(".scroll, pre")) {
    const more = box.scrollWidth > box.clientWidth + 1;
    const before = box.previousElementSibling;
    if (more || box.scrollHeight > box.clientHeight + 1) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "scrolls");
    } else box.removeAttribute("tabindex");
    if (more && !before?.classList.contains("hint")) {
      box.before(Object.assign(document.createElement("p"), { className: "hint", textContent: "Scroll sideways for the rest →" }));
    } else if (!more && before?.classList.contains("hint")) before.remove();
  }
};
mark();
addEventListener("resize", mark);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
document.addEventListener("toggle", mark, true);
