// The list of escalations stays fresh by itself.
import { refresh } from "../clinic/js/refresh.js";

import { queue } from "../clinic/js/queue.js";
import { keepPage, fetchCase } from "./kept.js";

refresh("#list", 5000);

// What waits on this phone leaves from here too; and the open cases that stand here open without a network afterwards.
keepPage();
queue.start().catch(() => {});
const ids = [...document.querySelectorAll("#list[data-bedside] .live[id]")].map((row) => row.id.slice(1));
for (const id of ids.slice(0, 10)) await fetchCase(id);
