/** Logging out takes the key of the sealed cache with it; what waits to be sent stays. */
import { cache } from "./store.js";

document.addEventListener("submit", () => cache.forget().catch(() => {}));
