// What the models can, and which of them are left alone for now.
import { request } from "./api.js";
import { badge, el } from "./dom.js";
import { number, t } from "./i18n.js";

const TRISTATE_ABILITIES = ["tools", "structured_outputs"]; // each by itself, emulated by the proxy, or not at all
const BOOLEAN_ABILITIES = ["web_search", "images"];

/** One line on *model*: what it can, and who answers. */
export function abilities(model) {
  const can = [...TRISTATE_ABILITIES, ...BOOLEAN_ABILITIES].filter((each) => model[each]).map((each) => t(`can.${each}`));
  return [...can, ownerOf(model)].join(" · ");
}

/** Why *model* would not be answered now, as a badge; null where it would. */
export function resting(model) {
  return model.state === "ready" ? null : badge(false, `can.state.${model.state}`);
}

function ownerOf({ site, kind }) {
  return kind ? `${t(`dash.kind.${kind}`)} ${site}` : site;
}

/** All models as a table, for the dashboard. */
export class ModelTable {
  constructor() {
    this.rows = el("tbody");
    const keys = ["chat.model", "can.state", ...[...TRISTATE_ABILITIES, ...BOOLEAN_ABILITIES].map((each) => `can.${each}`), "can.context", "can.whose"];
    const head = el("tr", {}, keys.map((key) => el("th", { scope: "col", t: key })));
    const table = el("table", {}, el("thead", {}, head), this.rows);
    this.scroller = el("div.scroller", { tabindex: "0", role: "region", label: "dash.models" }, table);
    this.empty = el("p.empty", { t: "chat.models.none", hidden: true });
    const card = el("div.card", {}, this.scroller, this.empty, el("p.hint", { t: "can.hint" }));
    this.element = el("section.models", {}, el("h2", { t: "dash.models" }), card);
    document.addEventListener("language", () => this.draw());
  }

  /** Ask which there are, and show them. Raises `ApiError`. */
  async load() {
    this.models = (await request("GET", "/v1/models")).data;
    this.draw();
  }

  draw() {
    if (!this.models) return;
    this.rows.replaceChildren(...this.models.map(row));
    this.scroller.hidden = !this.models.length;
    this.empty.hidden = !this.scroller.hidden;
  }
}

function row(model) {
  const more = model.alias_of ? `→ ${model.alias_of}` : (model.name ?? "");
  const how = TRISTATE_ABILITIES.map((each) => el("td", {}, model[each] ? t(`can.how.${model[each]}`) : "–"));
  const whether = BOOLEAN_ABILITIES.map((each) => el("td", {}, model[each] ? t("can.yes") : "–"));
  const context = model.context_length === null ? "–" : number(model.context_length);
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, el("code", {}, model.id), more ? el("div.hint", {}, more) : null),
    el("td", {}, resting(model) ?? badge(true, "can.state.ready")),
    how,
    whether,
    el("td", {}, context),
    el("td", {}, ownerOf(model)),
  );
}
