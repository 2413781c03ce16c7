// The part of the dashboard that shows what was used, over a time and by what is chosen.
import { request } from "./api.js";
import { Charts } from "./charts.js";
import { el } from "./dom.js";
import { number, t } from "./i18n.js";
import { keep, recall } from "./storage.js";
import { Table } from "./table.js";
import { ErrorNotice } from "./error-notice.js";

const SPANS = { "1d": { seconds: 86400, unit: "hour" }, "7d": { seconds: 7 * 86400, unit: "hour" }, "30d": { seconds: 30 * 86400, unit: "day" } };
const GROUPS = ["all", "key", "model", "site"];
const OUTCOMES = ["valid", "mended", "retried", "failed"]; // of calls of tools and of JSON by a schema

/** Charts with their choices. */
export class Usage {
  constructor() {
    this.span = choice("chart.span", Object.keys(SPANS), "usage.span", () => this.load());
    this.by = choice("chart.by", GROUPS, "usage.by", () => this.load());
    this.charts = new Charts();
    this.errorNotice = new ErrorNotice();
    const head = el("div.row", {}, el("h2", { t: "dash.usage" }), el("span.grow"), this.span.element, this.by.element);
    this.outcomes = el("div.outcomes");
    this.table = new Table("tools.title", "tools.hint");
    this.element = el("section", {}, head, this.errorNotice.element, this.charts.element, this.outcomes);
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
    const rows = async (...kinds) => (await request("GET", `/admin/usage?since=${since}&by=${kinds.join(",")}`)).data;
    try {
      const groups = by === "all" ? [] : [by];
      const [data, totals, models] = await Promise.all([rows(unit, ...groups), rows(...groups), rows("model")]);
      if (asked !== this.asked) return;
      this.found = [data, totals, { since, until, unit, by }];
      this.models = models;
      this.errorNotice.hide();
      this.draw();
    } catch (error) {
      if (asked === this.asked) this.errorNotice.show(error);
    }
  }

  draw() {
    if (!this.found) return;
    this.drawOutcomes(outcomesOf(this.models));
    if (this.found[0].length) this.charts.draw(...this.found);
    else this.charts.empty();
  }

  drawOutcomes(rows) {
    if (!rows.length) return this.outcomes.replaceChildren();
    this.table.show(["chart.by.model", "tools.total", ...OUTCOMES.map((each) => `tools.${each}`)], rows);
    if (!this.outcomes.hasChildNodes()) this.outcomes.append(this.table.element);
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

/** A row for each of the *models* that was asked for any. */
function outcomesOf(models) {
  const asked = models.map(({ model, tools }) => [model, tools, totalOf(tools)]).filter(([, , total]) => total);
  return asked.sort(([, , a], [, , b]) => b - a).map(row);
}

function row([model, tools, total]) {
  const counts = OUTCOMES.map((each) => t("tools.count", { count: number(tools[each]), share: share(tools[each] / total) }));
  return el("tr", {}, el("th", { scope: "row" }, model || "–"), [number(total), ...counts].map((text) => el("td", {}, text)));
}

function totalOf(tools) {
  return OUTCOMES.reduce((total, each) => total + tools[each], 0);
}

function share(part) {
  return number(Math.round(part * 100));
}
