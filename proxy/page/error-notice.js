// Errors as they are shown: what they mean, in the language of the page, then the proxy's own words and its code.
import { el } from "./dom.js";
import { coded, duration, t } from "./i18n.js";

/** A note on *error*; *lead* names a text that comes first. */
export function errorNote(error, lead = null) {
  return el("div.note.error", { role: "alert" }, errorParts(error, lead));
}

/** The parts of a note on *error*: its meaning, when to retry, the proxy's message, its code. */
export function errorParts(error, lead = null) {
  return [
    lead ? el("strong", { t: lead }) : null,
    el("span", {}, coded(error.message)),
    error.retryAfter ? el("span", {}, t("error.retry", { time: duration(error.retryAfter) })) : null,
    error.said ? el("span.said", { dir: "auto" }, error.said) : null,
    error.label ? el("code", {}, error.label) : null,
  ].filter(Boolean);
}

/** A note that shows one error at a time, and is hidden while there is none. */
export class ErrorNotice {
  constructor(lead = null) {
    this.lead = lead;
    this.element = el("div.note.error", { role: "alert", hidden: true });
    document.addEventListener("language", () => this.error && this.show(this.error));
  }

  /** Show *error*, an `ApiError`. */
  show(error) {
    this.error = error;
    const now = el("div", {}, errorParts(error, this.lead));
    if (!this.element.hidden && now.textContent === this.element.textContent) return; // it would be read out again
    this.element.replaceChildren(...now.childNodes);
    this.element.hidden = false;
  }

  hide() {
    this.error = null;
    this.element.hidden = true;
  }
}
