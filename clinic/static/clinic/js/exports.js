// The export form counts again when something changes, and a file is verified here, without leaving the computer.
const form = document.getElementById("export");
form.addEventListener("change", (event) => {
  if (event.target.matches("#datasets input")) {
    // Another dataset has other filters and columns: they start afresh.
    location.search = new URLSearchParams({ dataset: event.target.value });
  } else if (!event.target.matches("input[type=text],input:not([type])")) {
    form.requestSubmit();
  }
});

const files = document.getElementById("files");
const drop = document.getElementById("drop");
const verdict = document.getElementById("verdict");

function say(name, detail = "") {
  const note = document.getElementById(name).content.cloneNode(true);
  const place = note.querySelector("[data-detail]");
  if (place) place.textContent = detail;
  verdict.replaceChildren(note);
}

async function verify(list) {
  const chosen = [...list];
  const manifestFile = chosen.find((file) => file.name.endsWith(".json"));
  const file = chosen.find((one) => one !== manifestFile);
  if (!manifestFile || !file) return say("lacks");
  let manifest;
  try {
    manifest = JSON.parse(await manifestFile.text());
  } catch {
    return say("lacks");
  }
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  const hash = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const detail = `${manifest.file ?? file.name} · ${manifest.rows} · ${manifest.finished_at ?? ""}`;
  say(hash === manifest.sha256 ? "good" : "bad", detail);
}

files.addEventListener("change", () => verify(files.files));
drop.addEventListener("dragover", (event) => event.preventDefault());
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  verify(event.dataTransfer.files);
});
