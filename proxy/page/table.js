// A table that is refreshed by itself: whoever scrolls in it stays where they are.
import { el } from "./dom.js";
import { translate } from "./i18n.js";

/** A card headed *heading* with a table, and below it *hint*; both are keys of texts. */
export class Table {
  constructor(heading, hint) {
    this.scroller = el("div.scroller", { tabindex: "0", role: "region", label: heading });
    this.element = el("div.card.wide", {}, el("h3", { t: heading }), this.scroller, el("p.hint", { t: hint }));
  }

  /** Show the columns of these names (keys of texts) and *rows*. */
  show(columns, rows) {
    const head = el("tr", {}, columns.map((key) => el("th", { scope: "col", t: key })));
    this.scroller.replaceChildren(el("table", {}, el("thead", {}, head), el("tbody", {}, rows)));
    translate(this.element); // it may not have been in the page when the language was changed
  }
}
