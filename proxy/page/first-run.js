// The card for newcomers: what to copy into other programs. Shown until it is put away, or the first answer came.
import { codeBox, el } from "./dom.js";
import { t, translate } from "./i18n.js";
import { asCurl, asEnvironment, asPython } from "./snippets.js";
import { keep, recall } from "./storage.js";

const DONE = "first-run.done";
const FORMS = { curl: asCurl, python: asPython, environment: asEnvironment };

/** The card. `requestOf()` tells which model is asked, and whether a key is needed. */
export class FirstRun {
  constructor(requestOf) {
    this.requestOf = requestOf;
    this.texts = Object.fromEntries(Object.keys(FORMS).map((name) => [name, el("code")]));
    const close = el("button.small", { type: "button", t: "first.close", onclick: () => this.end() });
    const head = el("div.row", {}, el("h3", { t: "first.title" }), el("span.grow"), close);
    const blocks = Object.keys(FORMS).map((name) => this.block(name));
    this.element = el("section.card.first-run", { label: "first.title" }, head, el("p.hint", { t: "first.help" }), blocks);
    this.element.hidden = recall(DONE, false);
  }

  block(name) {
    return codeBox(el("span", { t: `first.${name}` }), el("pre", {}, this.texts[name]), () => this.form(name), `first.copy.${name}`);
  }

  form(name) {
    return FORMS[name]({ ...this.requestOf(), text: t("first.hello"), pictures: [], search: false });
  }

  /** Draw it anew, for the model and the language now. */
  draw() {
    translate(this.element);
    for (const [name, code] of Object.entries(this.texts)) code.textContent = this.form(name).trimEnd();
  }

  /** Show it never again in this browser. */
  end() {
    if (!this.element.hidden) keep(DONE, true);
    this.element.hidden = true;
  }
}
