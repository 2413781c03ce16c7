// The part of the dashboard that shows what was used, over a time and by what is chosen.
import { request } from "./api.js";
import { Charts } from "./charts.js";
import { el } from "./dom.js";
import { keep, recall } from "./storage.js";

const SPANS = { "1d": { seconds: 86400, unit: "hour" }, "7d": { seconds: 7 * 86400, unit: "hour" }, "30d": { seconds: 30 * 86400, unit: "day" } };
const GROUPS = ["all", "key", "model", "site"];

/** Charts with their choices. */
export class Usage {
  constructor() {
    this.span = choice("chart.span", Object.keys(SPANS), "usage.span", () => this.load());
    this.by = choice("chart.by", GROUPS, "usage.by", () => this.load());
    this.charts = new Charts();
    this.trouble = el("p.note.error", { role: "alert", hidden: true });
    const head = el("div.row", {}, el("h2", { t: "dash.usage" }), el("span.grow"), this.span.element, this.by.element);
    this.element = el("section", {}, head, this.trouble, this.charts.element);
    for (const change of ["theme", "language"]) document.addEventListener(change, () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Ask what was used, and show it. */
  async load() {
    const { seconds, unit } = SPANS[this.span.value];
    const by = this.by.value;
    const until = Math.floor(Date.now() / 1000);
    const since = until - seconds;
    const asked = (this.asked = Symbol("one of several requests; only the newest counts"));
    try {
      const { data } = await request("GET", `/admin/usage?since=${since}&by=${[unit, ...(by === "all" ? [] : [by])].join(",")}`);
      if (asked !== this.asked) return;
      this.found = [data, { since, until, unit, by }];
      this.trouble.hidden = true;
      this.draw();
    } catch (error) {
      this.trouble.textContent = error.message;
      this.trouble.hidden = false;
    }
  }

  draw() {
    if (!this.found) return;
    if (this.found[0].length) return this.charts.draw(...this.found);
    this.charts.clear();
    this.charts.element.replaceChildren(el("p.card.empty.wide", { t: "chart.empty" }));
  }
}

function choice(key, values, name, onChange) {
  const options = values.map((value) => el("option", { value, t: `${key}.${value}` }));
  const select = el("select", { id: name }, options);
  const kept = recall(name, "");
  if (values.includes(kept)) select.value = kept;
  select.addEventListener("change", () => {
    keep(name, select.value);
    onChange();
  });
  const element = el("div.choice", {}, el("label", { for: name, t: key }), select);
  return {
    element,
    get value() {
      return select.value;
    },
  };
}
