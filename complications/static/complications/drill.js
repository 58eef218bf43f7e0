// A drill while it runs: what happens appears by itself; an answer that is half given is not taken away.
import { refresh } from "../clinic/js/refresh.js";

refresh("#live", 2000);
