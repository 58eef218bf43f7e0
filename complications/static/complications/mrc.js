/**
 * The examination's keypad: a touch on a muscle opens it, a grade fills the cell and goes on (left, right, next muscle).
 * Hidden inputs carry the values; "nt" (not tested) is an answer and is shown as unknown, never as normal.
 */
export function mrcKeypad() {
  const keypad = document.getElementById("keypad");
  const all = [...document.querySelectorAll("[data-mrc]")];
  const count = document.getElementById("mrc-count");
  const name = document.getElementById("key-name");
  const was = document.getElementById("key-was");
  const notTested = keypad?.querySelector('[data-key="nt"]').textContent ?? "nt";
  // Rows that this patient's levels do not ask for are hidden and not counted.
  const asked = () => all.filter((cell) => !cell.closest("tr").hidden);
  let active;

  const field = (cell) => cell.previousElementSibling;

  function draw(cell) {
    const value = field(cell).value;
    const before = cell.dataset.was;
    const fall = value !== "" && value !== "nt" && before !== "" && before !== "nt" ? Number(before) - Number(value) : 0;
    const shown = cell.querySelector("b");
    shown.textContent = value === "" ? "–" : value === "nt" ? notTested : value;
    shown.classList.toggle("nt", value === "nt");
    cell.querySelector("s").textContent = before;
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
    count.textContent = asked().filter((cell) => field(cell).value !== "").length;
  }

  function open(cell, scroll = true) {
    active?.classList.remove("act");
    active = cell;
    keypad.hidden = !cell;
    document.documentElement.toggleAttribute("data-keypad", Boolean(cell));
    if (!cell) return;
    cell.classList.add("act");
    name.textContent = cell.dataset.name;
    was.textContent = cell.dataset.was ? `${was.dataset.was} ${cell.dataset.was}` : "";
    if (scroll) cell.scrollIntoView({ block: "nearest" });
  }

  function give(cell, value) {
    field(cell).value = value;
    draw(cell);
    // Whoever keeps what is typed hears of it, as of any field.
    field(cell).dispatchEvent(new Event("change", { bubbles: true }));
  }

  function put(value) {
    if (!active) return;
    give(active, value);
    tell();
    const cells = asked();
    const at = cells.indexOf(active);
    open(cells.find((cell, index) => index > at && field(cell).value === ""));
  }

  for (const cell of all) cell.addEventListener("click", () => open(cell, false));
  for (const key of keypad?.querySelectorAll("[data-key]") ?? []) key.addEventListener("click", () => put(key.dataset.key));
  document.getElementById("key-back")?.addEventListener("click", () => {
    const cells = asked();
    const at = cells.indexOf(active);
    if (at > 0) open(cells[at - 1]);
  });
  for (const button of document.querySelectorAll("[data-full]")) {
    button.addEventListener("click", () => {
      for (const cell of asked().filter((one) => one.dataset.mrc.endsWith(`_${button.dataset.full}`))) give(cell, "5");
      tell();
      open(asked().find((cell) => field(cell).value === ""));
    });
  }
  document.addEventListener("keydown", (event) => {
    if (!active || event.target.matches("input,textarea,select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^[0-5]$/.test(event.key)) put(event.key);
    else if (event.key === "n") put("nt");
    else if (event.key === "Escape") open();
  });

  /** Draw everything again: after the baseline has come, or what was kept is filled in. */
  function redraw() {
    for (const cell of all) draw(cell);
    if (all.length) tell();
    open();
  }
  if (all.length) redraw();
  return redraw;
}
