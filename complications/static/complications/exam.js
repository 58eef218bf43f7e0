// The examination inside a page that the server draws.
import { mrcKeypad } from "./mrc.js";

mrcKeypad();
