// The board stays fresh by itself, card by card, without a jump.
import "../clinic/js/clocks.js";
import { refresh } from "../clinic/js/refresh.js";

refresh("#board", 5000);
refresh("#bar", 5000);
