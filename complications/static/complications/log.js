// The log by keyboard: j and k move, Enter opens, / searches. The detail opens beside the list without losing the place.
const list = document.getElementById("list");
const links = [...document.querySelectorAll("#rows .cov")];
const rows = links.map((link) => link.closest("tr"));
const search = document.getElementById("q");
const PLACE = "log-place";
let at = rows.findIndex((row) => row.matches(".sel"));

function mark(index) {
  at = Math.max(0, Math.min(rows.length - 1, index));
  links[at].focus({ preventScroll: true });
  rows[at].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input,select,textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "j" && rows.length) mark(at + 1);
  else if (event.key === "k" && rows.length) mark(at - 1);
  else if (event.key === "/") search.focus();
  else return;
  event.preventDefault();
});

// The list keeps its scroll when a record is opened beside it.
for (const link of links) {
  link.addEventListener("click", () => sessionStorage.setItem(PLACE, `${list.scrollTop}`));
}
const place = sessionStorage.getItem(PLACE);
if (place && at >= 0) list.scrollTop = Number(place);
sessionStorage.removeItem(PLACE);
