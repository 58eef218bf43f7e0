/** Logging out takes the key of the sealed cache with it, from whatever page; what waits to be sent stays. */
import { cache } from "./store.js";

const LONGEST = 3000;

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.action.includes("/accounts/logout/")) return;
  // The page that follows would end the disk's work half way: first the key, then the log-out, which nothing holds up for long.
  event.preventDefault();
  await Promise.race([cache.forget().catch(() => {}), new Promise((done) => setTimeout(done, LONGEST))]);
  form.submit();
});
