// Curves of some runs over each other: train dashed, validation solid, the best epoch marked; read by mouse or keys.

import { _, element } from "./lab.js";

// Okabe and Ito's colours, which the colour-blind tell apart, for both grounds.
const LIGHT = ["#0072b2", "#b34700", "#00795c", "#a3527e", "#7a5c00", "#2f7fb5", "#3d3d3d", "#8a2be2"];
const DARK = ["#56b4e9", "#ff9f5a", "#2fd0a0", "#e79ac3", "#f0e442", "#9fd3ff", "#d0d0d0", "#c9a0ff"];
const dark = matchMedia("(prefers-color-scheme: dark)");

export const colour = (place) => (dark.matches ? DARK : LIGHT)[place % LIGHT.length];
const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// There is no half epoch.
const WHOLE = [1, 2, 5].flatMap((step) => [1, 10, 100, 1000, 10000].map((power) => step * power)).sort((a, b) => a - b);

export class Curves {
  // holder: where it is drawn; names: of the training's and the validation's column; shown: a value in words.
  constructor(holder, [train, validation], shown, read) {
    Object.assign(this, { holder, train, validation, shown, read });
    this.runs = [];
    this.chart = null;
    holder.tabIndex = 0;
    holder.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#resize()).observe(holder);
    dark.addEventListener("change", () => this.draw(this.runs));
    addEventListener("resize", () => this.draw(this.runs));
  }

  // runs: [{name, colour, epoch, best, train_loss, …}]
  draw(runs) {
    this.runs = runs;
    if (typeof uPlot !== "function") return this.#pictures();
    const longest = Math.max(1, ...runs.map((run) => run.epoch.at(-1) ?? 1));
    const epochs = [...new Set(runs.flatMap((run) => run.epoch))].sort((a, b) => a - b);
    const place = new Map(epochs.map((epoch, at) => [epoch, at]));
    const data = [epochs];
    const series = [{}];
    const width = Number.parseFloat(variable("--curve")) || 2;
    for (const run of runs) {
      for (const [name, dash] of [[this.train, [6, 5]], [this.validation, undefined]]) {
        const values = new Array(epochs.length).fill(null);
        run.epoch.forEach((epoch, at) => { values[place.get(epoch)] = run[name][at]; });
        data.push(values);
        series.push({
          label: `${run.name} ${name}`, stroke: run.colour, width, dash, spanGaps: true,
          points: { show: run.epoch.length < 2 },
        });
      }
    }
    const same = this.chart !== null && this.chart.series.length === series.length
      && series.every((one, at) => at === 0 || this.chart.series[at].label === one.label && this.colours[at] === one.stroke);
    if (same && this.width === width) {
      this.chart.setData(data);
    } else {
      this.chart?.destroy();
      this.chart = new uPlot(this.#options(series, longest), data, this.holder);
      this.colours = series.map((one) => one.stroke);
      this.width = width;
    }
    this.holder.dataset.points = String(epochs.length);
  }

  #options(series, longest) {
    const ink = variable("--quiet"), line = variable("--line");
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font: `${variable("--text") === "1rem" ? 12 : 18}px system-ui` };
    return {
      width: this.holder.clientWidth, height: this.holder.clientHeight,
      scales: { x: { time: false, range: (_chart, low, high) => [low, Math.max(high, low + 1)] } },
      axes: [{ ...axis, incrs: WHOLE, label: _("epoch"), labelSize: 20, labelFont: axis.font }, { ...axis, size: 62, values: (_chart, ticks) => ticks.map((tick) => this.shown(tick, true)) }],
      series,
      cursor: { drag: { x: true, y: false }, points: { size: 8 } },
      legend: { show: false },
      hooks: { drawAxes: [(chart) => this.#bands(chart)], draw: [(chart) => this.#markBest(chart)], setCursor: [(chart) => this.#tell(chart)] },
    };
  }

  // Behind the curves of several seeds of one recipe: their mean, and one standard deviation either side.
  #bands(chart) {
    const seeds = new Map();
    for (const run of this.runs) {
      const folder = run.name.match(/^(.*)\/seed-\d+$/)?.[1];
      if (folder !== undefined) seeds.set(folder, [...(seeds.get(folder) ?? []), run]);
    }
    const { ctx } = chart;
    for (const group of [...seeds.values()].filter((runs) => runs.length > 1)) {
      const values = group.map((run) => new Map(run.epoch.map((epoch, at) => [epoch, run[this.validation][at]])));
      const spreads = group[0].epoch.filter((epoch) => values.every((one) => Number.isFinite(one.get(epoch)))).map((epoch) => {
        const found = values.map((one) => one.get(epoch));
        const mean = found.reduce((sum, value) => sum + value, 0) / found.length;
        const deviation = Math.sqrt(found.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (found.length - 1));
        return { x: chart.valToPos(epoch, "x", true), high: chart.valToPos(mean + deviation, "y", true), low: chart.valToPos(mean - deviation, "y", true) };
      });
      ctx.save();
      ctx.beginPath();
      for (const { x, high } of spreads) ctx.lineTo(x, high);
      for (const { x, low } of spreads.toReversed()) ctx.lineTo(x, low);
      ctx.globalAlpha = 0.16;
      ctx.fillStyle = group[0].colour;
      ctx.fill();
      ctx.restore();
    }
  }

  #markBest(chart) {
    const { ctx } = chart;
    ctx.save();
    for (const run of this.runs) {
      const at = run.epoch.indexOf(run.best);
      if (at < 0 || run[this.validation][at] === null) continue;
      const x = chart.valToPos(run.best, "x", true), y = chart.valToPos(run[this.validation][at], "y", true);
      ctx.beginPath();
      ctx.arc(x, y, 5 * devicePixelRatio, 0, 2 * Math.PI);
      ctx.fillStyle = run.colour;
      ctx.fill();
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.strokeStyle = variable("--raised");
      ctx.stroke();
    }
    ctx.restore();
  }

  #tell(chart) {
    const at = chart.cursor.idx;
    if (at === null || at === undefined) return this.read("");
    const epoch = chart.data[0][at];
    const parts = this.runs.flatMap((run) => {
      const place = run.epoch.indexOf(epoch);
      if (place < 0) return [];
      return [_("{run}: validation {validation}, training {training}", {
        run: run.name, validation: this.shown(run[this.validation][place]), training: this.shown(run[this.train][place]),
      })];
    });
    this.read(parts.length ? _("Epoch {epoch}. {runs}", { epoch, runs: parts.join("; ") }) : "");
  }

  #key(event) {
    if (this.chart === null) return;
    const last = this.chart.data[0].length - 1;
    const now = this.chart.cursor.idx ?? last;
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last, PageUp: now - 10, PageDown: now + 10 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const at = Math.min(Math.max(to, 0), last);
    const left = this.chart.valToPos(this.chart.data[0][at], "x");
    this.chart.setCursor({ left, top: this.chart.over.clientHeight / 2 });
  }

  #resize() {
    if (this.chart !== null && this.holder.clientWidth > 0) {
      this.chart.setSize({ width: this.holder.clientWidth, height: this.holder.clientHeight });
    }
  }

  // Without the library: what the reports have drawn.
  #pictures() {
    this.holder.replaceChildren(
      element("p", {}, _("The library that draws curves could not be fetched when honshi was installed; these are the pictures of the runs.")),
      ...this.runs.map((run) => element("img", { src: `/api/runs/${encodeURI(run.name)}/picture/curves.png`, alt: run.name, loading: "lazy" })),
    );
  }
}
