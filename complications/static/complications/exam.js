// The examination's keypad: a touch on a muscle opens it, a grade fills the cell and goes on (left, right, next muscle).
// Hidden inputs carry the values; "nt" (not tested) is an answer and is shown as unknown, never as normal.
const keypad = document.getElementById("keypad");
const cells = [...document.querySelectorAll("[data-mrc]")];
const count = document.getElementById("mrc-count");
const name = document.getElementById("key-name");
const was = document.getElementById("key-was");
const notTested = keypad?.querySelector('[data-key="nt"]').textContent ?? "nt";
let active = -1;

const field = (cell) => cell.previousElementSibling;

function draw(cell) {
  const value = field(cell).value;
  const before = cell.dataset.was;
  const fall = value !== "" && value !== "nt" && before !== "" && before !== "nt" ? Number(before) - Number(value) : 0;
  const shown = cell.querySelector("b");
  shown.textContent = value === "" ? "–" : value === "nt" ? notTested : value;
  shown.classList.toggle("nt", value === "nt");
  cell.classList.toggle("dn", fall > 0);
  cell.querySelector("i")?.remove();
  if (fall > 0) {
    const mark = document.createElement("i");
    mark.textContent = `↓ ${fall}`;
    cell.append(mark);
  }
  cell.setAttribute("aria-label", [cell.dataset.name, before && `${was.dataset.was} ${before}`, shown.textContent].filter(Boolean).join(", "));
}

function tell() {
  count.textContent = cells.filter((cell) => field(cell).value !== "").length;
}

function open(index, scroll = true) {
  cells[active]?.classList.remove("act");
  active = index;
  const cell = cells[active];
  keypad.hidden = !cell;
  document.documentElement.toggleAttribute("data-keypad", Boolean(cell));
  if (!cell) return;
  cell.classList.add("act");
  name.textContent = cell.dataset.name;
  was.textContent = cell.dataset.was ? `${was.dataset.was} ${cell.dataset.was}` : "";
  if (scroll) cell.scrollIntoView({ block: "nearest" });
}

function put(value) {
  if (active < 0) return;
  field(cells[active]).value = value;
  draw(cells[active]);
  tell();
  const next = cells.findIndex((cell, index) => index > active && field(cell).value === "");
  open(next);
}

for (const [index, cell] of cells.entries()) {
  draw(cell);
  cell.addEventListener("click", () => open(index, false));
}
for (const key of keypad?.querySelectorAll("[data-key]") ?? []) key.addEventListener("click", () => put(key.dataset.key));
document.getElementById("key-back")?.addEventListener("click", () => { if (active > 0) open(active - 1); });
for (const button of document.querySelectorAll("[data-full]")) {
  button.addEventListener("click", () => {
    for (const cell of cells.filter((one) => one.dataset.mrc.endsWith(`_${button.dataset.full}`))) {
      field(cell).value = "5";
      draw(cell);
    }
    tell();
    open(cells.findIndex((cell) => field(cell).value === ""));
  });
}
document.addEventListener("keydown", (event) => {
  if (active < 0 || event.target.matches("input,textarea,select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^[0-5]$/.test(event.key)) put(event.key);
  else if (event.key === "n") put("nt");
  else if (event.key === "Escape") open(-1);
});
if (cells.length) tell();
