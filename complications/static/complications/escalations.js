// The list of escalations stays fresh by itself.
import { refresh } from "../clinic/js/refresh.js";

refresh("#list", 5000);
