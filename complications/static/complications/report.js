// The report form: the chosen type shows its own questions, and a word finds a type among all groups.
const form = document.getElementById("report");
const types = document.getElementById("types");
const search = document.getElementById("type-search");

function show() {
  const chosen = form.elements.type.value;
  for (const questions of form.querySelectorAll("[data-code]")) {
    const own = questions.dataset.code === chosen;
    questions.hidden = !own;
    questions.disabled = !own;
  }
}

form.addEventListener("change", (event) => { if (event.target.name === "type") show(); });
show();

document.getElementById("find").hidden = false;
search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
search.addEventListener("input", () => {
  const wanted = search.value.trim().toLocaleLowerCase();
  for (const group of types.children) {
    let some = false;
    for (const option of group.querySelectorAll(".opt")) {
      const fits = option.textContent.toLocaleLowerCase().includes(wanted);
      option.hidden = !fits;
      some ||= fits;
    }
    group.hidden = !some;
    if (wanted) group.open = some;
  }
});
