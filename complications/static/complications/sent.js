/**
 * The acts of a case from a phone: an answer that does not reach the service stops no paging, and the page says so at once,
 * with the numbers to call. An answer is never kept for later: hours afterwards it would stop the paging for somebody who is
 * not there any more. What may be kept is the time at the bedside, which stays true.
 */
export const LONGEST = 12000;

/** What the browser would send for a form whose `button` was touched. */
export const sentBy = (form, button) => {
  const body = new FormData(form);
  if (button?.name) body.append(button.name, button.value);
  return body;
};

/**
 * Watch the forms inside `root`. `send(form, button)` resolves to whether the service answered; `panel` is the region that
 * says what did not leave; `kept(form)` may keep an act on the phone and returns its words.
 */
export const watchActs = (root, panel, { send, kept = async () => "" }) => {
  let busy = false;
  root.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.method !== "post" || !panel) return;
    event.preventDefault();
    if (busy) return;
    busy = true;
    const button = event.submitter;
    button?.setAttribute("aria-busy", "true");
    const answered = await send(form, button).catch(() => false);
    button?.removeAttribute("aria-busy");
    busy = false;
    delete form.dataset.sent;
    if (answered) return;
    const folded = button?.closest("details")?.querySelector("summary");
    panel.querySelector("[data-what]").textContent = form.dataset.what ?? (folded ?? button)?.textContent.trim() ?? "";
    panel.querySelector("[data-kept]").textContent = await kept(form).catch(() => "");
    panel.querySelector("[data-again]").onclick = () => form.requestSubmit(button);
    panel.hidden = false;
    panel.scrollIntoView({ block: "start" });
    panel.focus({ preventScroll: true });
  });
};
