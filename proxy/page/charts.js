// Charts of what was used, and the same as a table.
import uPlot from "./vendor/uplot.js";
import { el } from "./dom.js";
import { language, number, short, t } from "./i18n.js";
import { Table } from "./table.js";

const MAX_GROUPS = 6;
const HEIGHT = 190; // pixels, without the legend
const UNIT_SECONDS = { hour: 3600, day: 86400 };

const sum = (values) => values.reduce((total, value) => total + value, 0);
const errors = (row) => sum(Object.values(row.errors));
const requests = (rows) => sum(rows.map((row) => row.requests));
const seconds = (milliseconds) => (milliseconds === null ? null : milliseconds / 1000);
const DASH = [2, 4]; // pixels drawn and left out
const COUNT_STEPS = [...Array(15).keys()].flatMap((power) => [1, 2, 2.5, 5].map((first) => first * 10 ** power)).filter(Number.isInteger); // steps of counts
// The lines of each chart, for each group; those of a time have a name, and gaps where nothing was measured.
const CHARTS = {
  requests: [{ value: (row) => row.requests }],
  tokens: [{ value: (row) => row.tokens_in + row.tokens_out }],
  latency: [
    { name: "median", value: (row) => seconds(row.ms_p50) },
    { name: "p95", value: (row) => seconds(row.ms_p95), dash: DASH },
  ],
  first: [
    { name: "median", value: (row) => seconds(row.ttft_ms_p50) },
    { name: "p95", value: (row) => seconds(row.ttft_ms_p95), dash: DASH },
  ],
  errors: [{ value: (row) => errors(row) + row.refused }],
};

/** The start of the row's hour or day, in Unix seconds. */
function startOf(row, unit) {
  return unit === "hour" ? row.hour : Date.parse(`${row.day}T00:00:00Z`) / 1000;
}

/** The groups in *rows* by their requests; those that are too many for one chart are left to the table. */
function groupsOf(rows, by) {
  if (by === "all") return [["all", rows]];
  const found = new Map();
  for (const row of rows) found.set(row[by], [...(found.get(row[by]) ?? []), row]);
  return [...found].sort(([, a], [, b]) => requests(b) - requests(a));
}

/**
 * The charts of *rows*, which cover the time from *since* to *until* (Unix seconds) by *unit* and *by*. *totals*: the
 * same by *by* alone, since percentiles cannot be added up.
 */
export class Charts {
  constructor() {
    this.element = el("div.charts");
    this.plots = [];
    this.totals = new Table("chart.table", "chart.estimated");
    this.watcher = new ResizeObserver(() => this.fit());
    this.watcher.observe(this.element);
  }

  draw(rows, totals, { since, until, unit, by }) {
    const old = this.plots.splice(0);
    const step = UNIT_SECONDS[unit];
    const times = [];
    for (let at = Math.floor(since / step) * step; at <= until; at += step) times.push(at);
    const groups = groupsOf(rows, by);
    const cards = Object.entries(CHARTS).map(([kind, lines]) => this.card(kind, lines, times, groups.slice(0, MAX_GROUPS), unit));
    const { element } = this.totals; // it stays where it is, for whoever scrolls in it
    if (element.parentNode !== this.element) this.element.replaceChildren(element);
    while (element.previousSibling) element.previousSibling.remove();
    element.before(...cards);
    for (const [plot] of old) plot.destroy();
    showTotals(this.totals, totals, by);
    this.fit();
  }

  /** Show only that there is nothing to draw. */
  empty() {
    for (const [plot] of this.plots.splice(0)) plot.destroy();
    this.element.replaceChildren(el("p.card.empty.wide", { t: "chart.empty" }));
  }

  card(kind, lines, times, groups, unit) {
    const place = el("div.plot");
    const ink = colours(this.element);
    const isTime = Boolean(lines[0].name);
    const colour = (line, index) => (groups.length > 1 ? index : lines.indexOf(line));
    const drawn = lines.flatMap((line) => groups.map(([name, rows], index) => ({ line, name, rows, ink: ink.lines[colour(line, index)] })));
    const data = drawn.map(({ line, rows }) => {
      const known = new Map(rows.map((row) => [startOf(row, unit), line.value(row)]));
      return times.map((at) => known.get(at) ?? (isTime ? null : 0));
    });
    const series = drawn.map(({ line, name, ink: stroke }) => ({
      label: labelOf(kind, line, name),
      stroke,
      width: 2,
      dash: line.dash,
      points: { show: isTime, size: 5, fill: stroke },
      value: (_, shown) => (shown === null ? "–" : number(shown)),
    }));
    const axis = { stroke: ink.text, grid: { stroke: ink.grid, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const time = { label: t("chart.span"), value: (_, at) => (at === null ? "–" : timeLabel(at, unit)) };
    const options = {
      tzDate: (at) => (unit === "day" ? uPlot.tzDate(new Date(at * 1000), "UTC") : new Date(at * 1000)), // days are UTC's
      width: 300,
      height: HEIGHT,
      padding: [8, 20, 0, 0],
      cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, isTime ? 0.1 : 4) * 1.1] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map((at) => tickLabel(at, unit)), space: 60 }, { ...axis, size: 56, incrs: isTime ? null : COUNT_STEPS, values: (_, ticks) => ticks.map(short) }],
      series: [time, ...series],
    };
    this.plots.push([new uPlot(options, [times, ...data], place), place]);
    return el("figure.card", {}, el("figcaption", { t: `chart.${kind}` }), place);
  }

  fit() {
    for (const [plot, place] of this.plots) if (place.clientWidth) plot.setSize({ width: place.clientWidth, height: HEIGHT });
  }
}

function timeLabel(at, unit) {
  const hour = { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const form = unit === "hour" ? hour : { month: "numeric", day: "numeric", timeZone: "UTC" };
  return new Intl.DateTimeFormat(language(), form).format(at * 1000);
}

/** What stands below the axis: the hour, or the day where one begins. */
function tickLabel(at, unit) {
  const isMidnight = new Date(at * 1000).getHours() === 0;
  if (unit === "day") return timeLabel(at, unit);
  if (isMidnight) return new Intl.DateTimeFormat(language(), { month: "numeric", day: "numeric" }).format(at * 1000);
  return new Intl.DateTimeFormat(language(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at * 1000);
}

/** The colours of the style sheet as a canvas takes them. */
function colours(element) {
  const probe = el("span");
  element.append(probe);
  const of = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = { text: of("soft"), grid: of("line") };
  probe.style.forcedColorAdjust = "none"; // lines are told apart by their colours
  found.lines = [1, 2, 3, 4, 5, 6].map((place) => of(`line-${place}`));
  probe.remove();
  return found;
}

function labelOf(kind, line, name) {
  const group = name === "all" ? null : name || "–";
  return [group, line.name ? t(`chart.${line.name}`) : (group ? null : t(`chart.${kind}`))].filter(Boolean).join(", ");
}

function showTotals(table, rows, by) {
  const head = [by === "all" ? "chart.span" : `chart.by.${by}`, "chart.requests", "chart.tokens", "chart.errors", "chart.times"];
  const sorted = [...rows].sort((a, b) => b.requests - a.requests);
  const body = sorted.map((row) =>
    el("tr", {}, el("th", { scope: "row" }, by === "all" ? t("chart.by.all") : row[by] || "–"), totalCells(row)),
  );
  table.show(head, body);
}

function totalCells(row) {
  const tokens = `${number(row.tokens_in)} / ${number(row.tokens_out)}`;
  const times = [row.ms_p50, row.ms_p95].map((time) => (time === null ? "–" : t("unit.s", { count: number(seconds(time)) }))).join(" / ");
  return [number(row.requests), tokens, errorKinds(row), times].map((text) => el("td", {}, text));
}

/** What the chart of errors counts, by its kinds. */
function errorKinds({ errors, refused }) {
  const limits = refused ? [t("chart.refused", { count: number(refused) })] : [];
  return [...Object.entries(errors).map(([kind, count]) => `${kind} ${number(count)}`), ...limits].join(", ") || "0";
}
