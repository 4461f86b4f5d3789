// The lecture's demonstrations, each on the real thing.

import { chooseRun, isTrained, numberIn } from "./choosing.js";
import { _, ask, element, percent, plain, svg } from "./lab.js";
import { Curves, colour } from "./curves.js";
import { picture } from "./pixels.js";

const of = (id) => document.getElementById(id);
const wrong = of("wrong");
const select = of("run");
let shown = null;
const address = (what) => `/api/runs/${encodeURI(shown)}/${what}`;

async function tried(work) {
  try { wrong.textContent = ""; return await work(); } catch (error) { wrong.textContent = error.message; return null; }
}

// Gradients of single batches around their mean.
tried(async () => {
  const found = await ask("/api/gradients");
  of("gradients").replaceChildren(...Object.entries(found).map(([size, { ends, distance }]) => {
    const words = _("{size} images a batch: {distance} of the mean's length away", { size, distance: percent(distance, 0) });
    const at = ([x, y]) => [90 + 55 * x, 90 - 55 * y];
    return element("figure", {}, element("figcaption", {}, words), svg("svg", { viewBox: "0 0 220 180", role: "img", "aria-label": words },
      ...ends.map((end) => { const [x, y] = at(end); return svg("line", { x1: 90, y1: 90, x2: x, y2: y, class: "single" }); }),
      svg("line", { x1: 90, y1: 90, x2: at([1, 0])[0], y2: 90, class: "mean" }), svg("circle", { cx: at([1, 0])[0], cy: 90, r: 4, class: "mean" })));
  }));
});

// Slow motion.
let steps = [];
let step = 0;

async function motion() {
  const lr = Number(plain(of("lr").value));
  if (!(lr > 0)) { wrong.textContent = _("{word} is no learning rate.", { word: of("lr").value }); return; }
  steps = await tried(() => ask("/api/slow-motion", { lr })) ?? [];
  step = 0;
  drawStep();
}

function drawStep() {
  const now = steps[step];
  if (now === undefined) return;
  const chart = svg("svg", { viewBox: "0 0 700 90", class: "numbers tall", role: "img", "aria-label": _("The loss of each batch so far") },
    ...steps.slice(0, step + 1).map((one, at) => svg("circle", { cx: 10 + 17 * at, cy: 80 - 70 * Math.min(one.before / 3, 1), r: at === step ? 6 : 4, class: "mean" })));
  of("slow").replaceChildren(
    element("p", { "aria-live": "polite" }, _("Step {step}: loss {before} before, {after} after; {right} of {n} right before, {later} after; length of the gradient {gradient}", {
      step: now.step, before: now.before.toFixed(3), after: now.after.toFixed(3), right: now.right[0], later: now.right[1], n: now.n, gradient: now.gradient.toFixed(2),
    })), chart,
    element("ul", { class: "thumbs" }, ...now.images.map((one) => element("li", {}, picture(one, one.label), _("{label}: {before} → {after}", { label: one.label, before: percent(one.before, 0), after: percent(one.after, 0) })))));
}

const go = (by) => { step = Math.min(Math.max(step + by, 0), steps.length - 1); drawStep(); };
of("on").addEventListener("click", () => go(1));
of("back").addEventListener("click", () => go(-1));
of("lr").addEventListener("change", motion);
of("slow").addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight" || event.key === "ArrowLeft") { event.preventDefault(); go(event.key === "ArrowRight" ? 1 : -1); }
});
motion();

// Races.
async function race(trainings) {
  const names = [];
  await tried(async () => { for (const training of trainings) names.push((await ask("/api/trainings", training)).run); });
  if (names.length) of("racing").replaceChildren(element("a", { href: `/#runs=${encodeURIComponent(names.map(encodeURIComponent).join(","))}` }, _("Watch their curves")));
}
of("race").addEventListener("click", () => race(["lecture-as-printed", "lecture", "lecture-table"].map((recipe) => ({ recipe }))));
const FEW = { "data.subset": 500, "training.epochs": 60 };
of("overfit").addEventListener("click", () => race([{ recipe: "mlp", changes: FEW }, { recipe: "mlp", changes: { ...FEW, "model.dropout": 0.5, "augment.shift": 0.1, "augment.rotate": 10 } }]));

// The verdict.
const chart = new Curves(of("verdict-chart"), ["train_loss", "val_loss"], (value, short) => (value ?? NaN).toFixed(short ? 2 : 4), (text) => { of("verdict-reading").textContent = text; });
const VERDICTS = { overfitting: () => _("overfitting"), underfitting: () => _("underfitting"), "good-fit": () => _("a good fit"), plateaued: () => _("stuck"), diverged: () => _("diverged") };
let votes = {};

function drawVotes() {
  of("votes").replaceChildren(...Object.entries(VERDICTS).map(([key, words]) => element("button", {
    type: "button", onclick: () => { votes[key] = (votes[key] ?? 0) + 1; drawVotes(); },
  }, votes[key] ? `${words()} · ${votes[key]}` : words())));
}

of("reveal").addEventListener("click", () => tried(async () => {
  const found = await ask(address("diagnosis"));
  of("verdict").replaceChildren(element("p", { class: "verdict" }, found.sentence));
}));

// Peeks.
let hundred = null;

function drawPeeks() {
  if (hundred === null) return;
  const count = Number(of("looks").value);
  const values = [...hundred.looked, ...hundred.held];
  const [least, most] = [Math.min(...values) - 0.002, Math.max(...values) + 0.002];
  const x = (at) => 60 + 6.2 * at, y = (value) => 170 - 150 * (value - least) / (most - least);
  const path = (found) => found.slice(0, count).map((value, at) => `${at ? "L" : "M"}${x(at)} ${y(value)}`).join("");
  const words = _("After {count} looks: best score on the half that is looked at {looked}, the same model on the other half {held}", {
    count, looked: percent(hundred.looked[count - 1]), held: percent(hundred.held[count - 1]),
  });
  of("peeks").replaceChildren(element("p", {}, words), svg("svg", { viewBox: "0 0 700 190", class: "peeks", role: "img", "aria-label": words },
    ...[least, (least + most) / 2, most].map((value) => svg("text", { x: 52, y: y(value) + 5, "text-anchor": "end", class: "tick" }, percent(value, 1))),
    svg("path", { d: path(hundred.looked), class: "looked" }), svg("path", { d: path(hundred.held), class: "held" }),
    svg("circle", { cx: x(count - 1), cy: y(hundred.looked[count - 1]), r: 5, class: "mean" }), svg("circle", { cx: x(count - 1), cy: y(hundred.held[count - 1]), r: 5, class: "guess" })));
}
of("looks").addEventListener("input", drawPeeks);

// Dropout.
async function showDropout() {
  const run = shown;
  const found = await tried(() => ask(address("dropout"), { place: numberIn(of("place")), probability: Number(of("probability").value) }));
  if (found === null || run !== shown) return;
  const width = 640 / found.classes.length;
  const y = (value) => 150 - 130 * value;
  of("dropout").replaceChildren(element("ul", { class: "thumbs" }, element("li", {}, picture(found.image, found.label), found.label)),
    svg("svg", { viewBox: "0 0 700 190", class: "peeks", role: "img", "aria-label": _("Probability of each class over thirty draws") },
      svg("line", { x1: 40, x2: 690, y1: 150, y2: 150, class: "axis" }),
      ...found.classes.flatMap((name, at) => {
        const middle = 50 + width * (at + 0.5);
        return [svg("text", { x: middle, y: 175, "text-anchor": "middle" }, name),
          svg("line", { x1: middle - width / 3, x2: middle + width / 3, y1: y(found.without[at]), y2: y(found.without[at]), class: "looked" }),
          ...found.draws.map((draw, one) => svg("circle", { cx: middle + width * (one / 30 - 0.5) * 0.5, cy: y(draw[at]), r: 3, class: "single" }))];
      })));
}
for (const id of ["place", "probability"]) of(id).addEventListener("change", showDropout);

async function showNorm() {
  const run = shown;
  const found = await tried(() => ask(address("batch-norm"), {}));
  if (found === null || run !== shown) return;
  const bars = (channels, kind, largest) => channels.map(([mean, deviation], at) => {
    const middle = 60 - 50 * mean / largest, spread = Math.max(1, 50 * deviation / largest);
    return svg("rect", { x: 4 + 20 * at, width: 14, y: middle - spread, height: 2 * spread, class: kind });
  });
  of("norm").replaceChildren(...found.map((layer) => {
    const largest = Math.max(...[...layer.before, ...layer.after].map(([mean, deviation]) => Math.abs(mean) + deviation)) || 1;
    const drawing = (channels, kind, words) => element("figure", {}, element("figcaption", {}, words), svg("svg", { viewBox: "0 0 330 120", role: "img", "aria-label": words }, svg("line", { x1: 0, x2: 330, y1: 60, y2: 60, class: "axis" }), ...bars(channels, kind, largest)));
    return element("div", { class: "arrows two" }, drawing(layer.before, "before", _("{layer}, before", { layer: layer.name })), drawing(layer.after, "after", _("{layer}, behind", { layer: layer.name })));
  }));
  if (found.length === 0) of("norm").append(element("p", { class: "quiet" }, _("This run has no batch norm; recipe cnn has.")));
}

async function show(run) {
  shown = run;
  votes = {};
  hundred = null;
  for (const id of ["verdict", "peeks", "dropout", "norm"]) of(id).replaceChildren();
  drawVotes();
  if (!run) return;
  const found = await tried(() => ask(`${address("history")}?columns=600`));
  if (found !== null && run === shown) chart.draw([{ ...found, colour: colour(0) }]);
  hundred = await tried(() => ask(address("peeks"), {}));
  if (run !== shown) return;
  drawPeeks();
  await showDropout();
  await showNorm();
}

chooseRun(select, isTrained, show);
