// Charts of what was used, and the same as a table.
import uPlot from "./vendor/uplot.js";
import { el } from "./dom.js";
import { language, number, t } from "./i18n.js";

const MOST_GROUPS = 6;
const HEIGHT = 190; // pixels, without the legend
const SECONDS = { hour: 3600, day: 86400 };

const sum = (values) => values.reduce((total, value) => total + value, 0);
const errors = (row) => sum(Object.values(row.errors));
const KINDS = {
  requests: (row) => row.requests,
  tokens: (row) => row.tokens_in + row.tokens_out,
  errors: (row) => errors(row) + row.refused,
  latency: (row) => (row.ms_p50 === null ? null : row.ms_p50 / 1000),
};

/** The start of the row's hour or day, in Unix seconds. */
function startOf(row, unit) {
  return unit === "hour" ? row.hour : Date.parse(`${row.day}T00:00:00Z`) / 1000;
}

/** The groups in *rows* by their requests; those that are too many for one chart are left to the table. */
function groupsOf(rows, by) {
  if (by === "all") return [["all", rows]];
  const found = Map.groupBy ? Map.groupBy(rows, (row) => row[by]) : grouped(rows, by);
  return [...found].sort(([, a], [, b]) => sum(b.map(KINDS.requests)) - sum(a.map(KINDS.requests)));
}

function grouped(rows, by) {
  const found = new Map();
  for (const row of rows) found.set(row[by], [...(found.get(row[by]) ?? []), row]);
  return found;
}

/** The charts of *rows*, which cover the time from *since* to *until* (Unix seconds) by *unit* and *by*. */
export class Charts {
  constructor() {
    this.element = el("div.charts");
    this.plots = [];
    this.watcher = new ResizeObserver(() => this.fit());
    this.watcher.observe(this.element);
  }

  draw(rows, { since, until, unit, by }) {
    this.clear();
    const step = SECONDS[unit];
    const times = [];
    for (let at = Math.floor(since / step) * step; at <= until; at += step) times.push(at);
    const groups = groupsOf(rows, by);
    const cards = Object.entries(KINDS).map(([kind, value]) => this.card(kind, value, times, groups.slice(0, MOST_GROUPS), unit));
    this.element.replaceChildren(...cards, totals(groups, by));
    this.fit();
  }

  card(kind, value, times, groups, unit) {
    const place = el("div.plot");
    const ink = inks(this.element);
    const data = groups.map(([, rows]) => {
      const known = new Map(rows.map((row) => [startOf(row, unit), value(row)]));
      return times.map((at) => known.get(at) ?? (kind === "latency" ? null : 0));
    });
    const series = groups.map(([name], index) => ({
      label: name === "all" ? t(`chart.${kind}`) : name || "–",
      stroke: ink.lines[index],
      width: 2,
      points: { show: kind === "latency", size: 5 },
      value: (_, shown) => (shown === null ? "–" : number(shown)),
    }));
    const axis = { stroke: ink.text, grid: { stroke: ink.grid, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const time = { label: t("chart.span"), value: (_, at) => (at === null ? "–" : when(at, unit)) };
    const options = {
      width: 300,
      height: HEIGHT,
      padding: [8, 20, 0, 0],
      cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, kind === "latency" ? 0.1 : 4) * 1.1] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map((at) => tick(at, unit)), space: 60 }, { ...axis, size: 56, values: (_, ticks) => ticks.map(number) }],
      series: [time, ...series],
    };
    this.plots.push([new uPlot(options, [times, ...data], place), place]);
    return el("figure.card", {}, el("figcaption", { t: `chart.${kind}` }), place);
  }

  fit() {
    for (const [plot, place] of this.plots) if (place.clientWidth) plot.setSize({ width: place.clientWidth, height: HEIGHT });
  }

  clear() {
    for (const [plot] of this.plots) plot.destroy();
    this.plots = [];
  }
}

function when(at, unit) {
  const hour = { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const form = unit === "hour" ? hour : { month: "numeric", day: "numeric", timeZone: "UTC" };
  return new Intl.DateTimeFormat(language(), form).format(at * 1000);
}

/** What stands below the axis: the hour, or the day where one begins. */
function tick(at, unit) {
  const isMidnight = new Date(at * 1000).getHours() === 0;
  if (unit === "day") return when(at, unit);
  if (isMidnight) return new Intl.DateTimeFormat(language(), { month: "numeric", day: "numeric" }).format(at * 1000);
  return new Intl.DateTimeFormat(language(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at * 1000);
}

/** The colours of the style sheet as a canvas takes them. */
function inks(element) {
  const probe = el("span");
  element.append(probe);
  const of = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = { text: of("soft"), grid: of("line"), lines: [1, 2, 3, 4, 5, 6].map((place) => of(`line-${place}`)) };
  probe.remove();
  return found;
}

function totals(groups, by) {
  const head = [by === "all" ? "chart.span" : `chart.by.${by}`, "chart.requests", "chart.tokens", "chart.errors"];
  const body = groups.map(([name, rows]) =>
    el("tr", {}, el("th", { scope: "row" }, name === "all" ? t("chart.by.all") : name || "–"), figures(rows)),
  );
  const table = el("table", {}, el("thead", {}, el("tr", {}, head.map((key) => el("th", { scope: "col", t: key })))), el("tbody", {}, body));
  const caption = el("h3", { t: "chart.table" });
  return el("div.card.wide", {}, caption, el("div.scroller", { tabindex: "0", role: "region", label: "chart.table" }, table), el("p.hint", { t: "chart.estimated" }));
}

function figures(rows) {
  const tokens = `${number(sum(rows.map((row) => row.tokens_in)))} / ${number(sum(rows.map((row) => row.tokens_out)))}`;
  return [number(sum(rows.map(KINDS.requests))), tokens, kinds(rows)].map((text) => el("td", {}, text));
}

function kinds(rows) {
  const found = {};
  for (const row of rows) for (const [kind, count] of Object.entries(row.errors)) found[kind] = (found[kind] ?? 0) + count;
  return Object.entries(found).map(([kind, count]) => `${kind} ${number(count)}`).join(", ") || "0";
}
