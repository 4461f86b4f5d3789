// The runs: a table, live, best first; the curves of those that are chosen; what is said of them.

import { _, ask, element, keepScene, listen, percent, scene, whole } from "./lab.js";
import { Curves, colour } from "./curves.js";

const MOST_SHOWN = 50;
const body = document.querySelector("#runs tbody");
const search = document.getElementById("search");
const compare = document.getElementById("compare");
const said = document.getElementById("words-of-runs");
const reading = document.getElementById("reading");
const read = (text) => { if (reading.textContent !== text) reading.textContent = text; };

const charts = [
  new Curves(document.getElementById("loss"), ["train_loss", "val_loss"], (value, short) => (value ?? NaN).toFixed(short ? 2 : 4), read),
  new Curves(document.getElementById("accuracy"), ["train_accuracy", "val_accuracy"], (value, short) => percent(value ?? NaN, short ? 0 : 2), read),
];

const runs = new Map();
const histories = new Map();
let chosen = (scene().get("runs") ?? "").split(",").filter(Boolean).map(decodeURIComponent);
let sort = scene().get("sort") ?? "accuracy";
let descending = scene().get("order") !== "up";
search.value ||= scene().get("search") ?? "";

const VALUES = {
  name: (run) => run.name, recipe: (run) => run.recipe ?? "", data: (run) => run.data ?? "", state: (run) => run.state,
  epochs: (run) => run.epochs ?? 0, accuracy: (run) => run.kept?.val_accuracy ?? -1, loss: (run) => -(run.kept?.val_loss ?? Infinity),
};
const STATES = {
  running: () => _("running"), finished: () => _("finished"), interrupted: () => _("interrupted"), killed: () => _("killed"),
  diverged: () => _("diverged"), failed: () => _("failed"), damaged: () => _("damaged"),
};

function inOrder() {
  const wanted = search.value.normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean);
  const text = (run) => `${run.name} ${run.recipe} ${run.data} ${run.state} ${STATES[run.state]?.() ?? ""}`.toLowerCase();
  const value = VALUES[sort];
  return [...runs.values()]
    .filter((run) => wanted.every((word) => text(run).includes(word)))
    .sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      const order = typeof x === "string" ? x.localeCompare(y) : x - y;
      return (descending ? -order : order) || a.began?.localeCompare(b.began ?? "") || 0;
    });
}

function cells(run) {
  const place = chosen.indexOf(run.name);
  const box = element("input", {
    type: "checkbox", "aria-label": _("Show the curves of {run}", { run: run.name }), checked: place >= 0,
    onchange: ({ target }) => choose(run.name, target.checked),
  });
  box.checked = place >= 0;
  const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
  if (place >= 0) swatch.style.background = colour(place);
  const epochs = run.state === "running" && run.training?.steps
    ? `${whole.format(run.epochs)} / ${whole.format(run.total)}` : run.epochs === undefined ? "" : whole.format(run.epochs);
  return [
    element("td", {}, element("label", {}, box)),
    element("td", {}, swatch, run.name),
    element("td", {}, run.recipe ?? ""),
    element("td", {}, run.data ?? ""),
    element("td", {}, element("span", { class: `state ${run.state}`, title: run.problem ?? run.error ?? "" }, STATES[run.state]?.() ?? run.state)),
    element("td", { class: "number" }, epochs),
    element("td", { class: "number" }, run.kept ? percent(run.kept.val_accuracy) : ""),
    element("td", { class: "number" }, run.interval ? _("{low} to {high}", { low: percent(run.interval[0]), high: percent(run.interval[1]) }) : ""),
    element("td", { class: "number" }, run.kept ? run.kept.val_loss.toFixed(4) : ""),
  ];
}

function drawTable() {
  const focused = document.activeElement?.closest?.("#runs tbody tr")?.dataset.name;
  const rows = inOrder().map((run) => {
    const row = element("tr", {}, ...cells(run));
    row.dataset.name = run.name;
    return row;
  });
  body.replaceChildren(...rows);
  if (focused !== undefined) body.querySelector(`tr[data-name="${CSS.escape(focused)}"] input`)?.focus({ preventScroll: true });
  document.getElementById("none").hidden = runs.size > 0;
  for (const head of document.querySelectorAll("#runs th")) {
    const by = head.querySelector("button")?.dataset.sort;
    if (by === sort) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  compare.disabled = chosen.length !== 2;
}

async function choose(name, on) {
  chosen = on ? [...chosen, name].slice(-MOST_SHOWN) : chosen.filter((one) => one !== name);
  keepScene({ runs: chosen.map(encodeURIComponent).join(",") });
  drawTable();
  await Promise.all([drawCurves(), sayDifferences()]);
}

async function historyOf(name) {
  const width = Math.max(200, Math.min(2000, document.getElementById("loss").clientWidth));
  return ask(`/api/runs/${encodeURI(name)}/history?columns=${Math.round(width)}`);
}

async function drawCurves() {
  await Promise.all(chosen.filter((name) => !histories.has(name) && runs.has(name)).map(async (name) => {
    histories.set(name, await historyOf(name));
  }));
  show();
}

function show() {
  const shown = chosen.map((name, place) => ({ ...histories.get(name), colour: colour(place) })).filter((run) => run.epoch?.length);
  for (const chart of charts) chart.draw(shown);
  drawNumbers(shown);
}

// A new epoch is added to the curve that is there, without asking for all of it again.
function grow(run) {
  const known = histories.get(run.name);
  if (known === undefined || run.last === null || run.last === undefined) return;
  const last = known.epoch.at(-1) ?? 0;
  if (run.last.epoch === last) return;
  if (run.last.epoch !== last + 1) {
    histories.delete(run.name);
    drawCurves();
    return;
  }
  known.epoch.push(run.last.epoch);
  for (const name of ["train_loss", "val_loss", "train_accuracy", "val_accuracy", "lr"]) known[name].push(run.last[name]);
  known.best = run.kept?.epoch ?? known.best;
  if (chosen.includes(run.name)) show();
}

function drawNumbers(shown) {
  const holder = document.querySelector("#numbers > div");
  if (!document.getElementById("numbers").open) return;
  holder.replaceChildren(...shown.map((run) => element("table", {},
    element("caption", {}, run.name),
    element("thead", {}, element("tr", {}, ...[_("epoch"), _("training loss"), _("validation loss"), _("training accuracy"), _("validation accuracy")].map((name) => element("th", { scope: "col", class: "number" }, name)))),
    element("tbody", {}, ...run.epoch.map((epoch, at) => element("tr", {},
      element("th", { scope: "row", class: "number" }, String(epoch)),
      ...[run.train_loss[at].toFixed(4), run.val_loss[at].toFixed(4), percent(run.train_accuracy[at]), percent(run.val_accuracy[at])].map((text) => element("td", { class: "number" }, text)),
    ))),
  )));
}

async function sayDifferences() {
  if (chosen.length < 2) return said.replaceChildren();
  const query = chosen.map((name) => `run=${encodeURIComponent(name)}`).join("&");
  const found = await ask(`/api/differences?${query}`);
  const keys = Object.entries(found.keys);
  said.replaceChildren(
    element("h2", {}, _("What differs between their recipes")),
    keys.length === 0 ? element("p", {}, _("Nothing: only chance tells them apart.")) : element("div", { class: "wide" }, element("table", {},
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, _("key")), ...found.runs.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...keys.map(([key, values]) => element("tr", {}, element("th", { scope: "row" }, key), ...values.map((value) => element("td", {}, value === null ? "—" : String(value)))))),
    )),
  );
}

compare.addEventListener("click", async () => {
  const [first, second] = chosen;
  compare.disabled = true;
  const verdict = element("p", { class: "verdict" }, _("Both are scored on the validation images …"));
  said.append(verdict);
  try {
    const found = await ask("/api/comparison", { first, second });
    verdict.textContent = found.sentences.join(" ");
  } catch (error) {
    verdict.textContent = error.message;
  }
  compare.disabled = chosen.length !== 2;
});

for (const button of document.querySelectorAll("#runs th button")) {
  button.addEventListener("click", () => {
    descending = sort === button.dataset.sort ? !descending : !["name", "recipe", "data", "state"].includes(button.dataset.sort);
    sort = button.dataset.sort;
    keepScene({ sort, order: descending ? null : "up" });
    drawTable();
  });
}
search.addEventListener("input", () => { keepScene({ search: search.value }); drawTable(); });
document.getElementById("numbers").addEventListener("toggle", show);

listen((news) => {
  if (news.event === "runs") {
    runs.clear();
    for (const run of news.runs) { runs.set(run.name, run); grow(run); }
    if (chosen.length === 0) {
      const best = inOrder()[0];
      const live = [...runs.values()].filter((run) => run.state === "running").at(-1);
      if (live ?? best) chosen = [(live ?? best).name];
    }
    drawCurves();
    sayDifferences();
  } else if (news.event === "run") {
    const fresh = !runs.has(news.run.name);
    runs.set(news.run.name, news.run);
    // A training that has just begun is what one wants to see, unless something was chosen by hand.
    if (fresh && news.run.state === "running" && scene().get("runs") === null) { chosen = [...chosen, news.run.name]; drawCurves(); }
    grow(news.run);
  } else if (news.event === "gone") {
    runs.delete(news.name);
    histories.delete(news.name);
    chosen = chosen.filter((name) => name !== news.name);
    drawCurves();
  }
  if (news.event !== "lost") drawTable();
});
