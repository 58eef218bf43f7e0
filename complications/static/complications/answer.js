// The page behind the link of a page: says at once when the answer did not arrive.
import { LONGEST, sentBy, watchActs } from "./sent.js";

// XMLHttpRequest parses the answer, which Trusted Types allow.
const send = (form, button) =>
  new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("POST", location.href);
    request.responseType = "document";
    request.timeout = LONGEST;
    request.onload = () => {
      const main = request.response?.getElementById("main");
      // A proxy's page is no answer of the service.
      if (!main || request.status >= 502) return done(false);
      document.getElementById("main").replaceWith(document.importNode(main, true));
      document.getElementById("not-sent").hidden = true;
      done(true);
    };
    request.onerror = request.ontimeout = () => done(false);
    request.send(sentBy(form, button));
  });

watchActs(document, document.getElementById("not-sent"), { send });
