// Look inside a model: confusion, surest mistakes, reliability, first weights, augmentation, layers.

import { chooseRun, numberIn } from "./choosing.js";
import { _, ask, element, percent, plain, svg, whole } from "./lab.js";
import { picture } from "./pixels.js";

const select = document.getElementById("run");
const wrong = document.getElementById("wrong");
const place = document.getElementById("place");
const cell = document.getElementById("cell");
let shown = null;

const of = (id) => document.getElementById(id);
const address = (what) => `/api/runs/${encodeURI(shown)}/${what}`;
// What a model is asked that was chosen meanwhile comes too late.
const still = (run) => run === shown;

async function show(run) {
  shown = run;
  wrong.textContent = "";
  for (const id of ["matrix", "cell", "mistakes", "reliability", "filters", "augmented", "layers"]) of(id).replaceChildren();
  if (!run) return;
  showFilters(run);
  if (!runs.get(run)?.finished) { wrong.textContent = _("It is not finished: only its first weights can be seen yet."); return; }
  try {
    const found = await ask(address("answers"), {});
    if (!still(run)) return;
    drawMatrix(run, found);
    drawReliability(found);
    await Promise.all([drawMistakes(run, found), showAugmented(run), showLayers(run)]);
  } catch (error) {
    if (still(run)) wrong.textContent = error.message;
  }
}

function drawMatrix(run, { classes, matrix, cells }) {
  const largest = Math.max(1, ...matrix.flatMap((row, at) => row.filter((_count, other) => other !== at)));
  of("matrix").replaceChildren(
    element("caption", { class: "hidden" }, _("True class by row, answer by column")),
    element("thead", {}, element("tr", {}, element("td"), ...classes.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...matrix.map((row, true_) => element("tr", {},
      element("th", { scope: "row" }, classes[true_]),
      ...row.map((count, taken) => {
        const holder = element("td", { class: true_ === taken ? "right" : "" });
        if (count === 0) return holder;
        const button = element("button", {
          type: "button",
          "aria-label": _("{true} taken for {taken}: {count}", { true: classes[true_], taken: classes[taken], count: whole.format(count) }),
          onclick: () => openCell(run, classes, true_, taken, count, cells[`${true_},${taken}`] ?? []),
        }, whole.format(count));
        if (true_ !== taken) button.style.setProperty("--share", String(Math.sqrt(count / largest)));
        holder.append(button);
        return holder;
      }),
    ))),
  );
}

async function openCell(run, classes, true_, taken, count, places) {
  const { length } = places;
  const pixels = await ask(address("images"), { places });
  if (!still(run)) return;
  const title = true_ === taken
    ? _("{taken}, rightly: {count}", { taken: classes[taken], count: whole.format(count) })
    : _("{true} taken for {taken}: {count}", { true: classes[true_], taken: classes[taken], count: whole.format(count) });
  cell.replaceChildren(element("h3", {}, title),
    element("ul", { class: "thumbs" }, ...pixels.map((one, at) => element("li", {}, picture(one, _("Validation image {place}", { place: places[at] })),
      element("button", { type: "button", onclick: () => { place.value = String(places[at]); showLayers(run); of("h-layers").scrollIntoView(); } }, `${places[at]}`)))));
  if (length < count) cell.append(element("p", { class: "quiet" }, _("The surest {length} of them.", { length })));
}

async function drawMistakes(run, { classes, mistakes }) {
  const pixels = mistakes.length ? await ask(address("images"), { places: mistakes.map((one) => one.place) }) : [];
  if (!still(run)) return;
  of("mistakes").replaceChildren(...pixels.map((one, at) => {
    const mistake = mistakes[at];
    const words = element("button", { type: "button", "aria-pressed": "false" }, _("What is it?"));
    words.addEventListener("click", () => {
      words.setAttribute("aria-pressed", "true");
      words.textContent = _("It says {taken} ({confidence}); the label is {true}", { taken: classes[mistake.taken], true: classes[mistake.true], confidence: percent(mistake.confidence, 0) });
    });
    return element("li", {}, picture(one, _("Validation image {place}", { place: mistake.place })), words);
  }));
  if (mistakes.length === 0) of("mistakes").append(element("li", {}, _("It made none.")));
}

function drawReliability({ before, after, temperature }) {
  const side = 300;
  const at = (value) => 40 + value * (side - 60);
  const up = (value) => side - 40 - value * (side - 60);
  const curve = (found, kind) => {
    const points = found.counts.map((count, bin) => [count, found.confidence[bin], found.accuracy[bin]]).filter(([count]) => count > 0);
    return [
      svg("polyline", { points: points.map(([, confidence, accuracy]) => `${at(confidence)},${up(accuracy)}`).join(" "), class: kind }),
      ...points.map(([count, confidence, accuracy]) => svg("circle", { cx: at(confidence), cy: up(accuracy), r: 2 + Math.min(8, Math.sqrt(count) / 6), class: kind })),
    ];
  };
  const words = _("Calibration error {before} before, {after} after (temperature {temperature})", {
    before: percent(before.error), after: percent(after.error), temperature: temperature.toFixed(3),
  });
  const ticks = [0, 0.5, 1].flatMap((value) => [
    svg("text", { x: at(value), y: side - 18, "text-anchor": "middle", class: "tick" }, percent(value, 0)),
    svg("text", { x: 36, y: up(value) + 5, "text-anchor": "end", class: "tick" }, percent(value, 0)),
  ]);
  of("reliability").replaceChildren(
    svg("svg", { viewBox: `0 0 ${side} ${side}`, class: "reliability", role: "img", "aria-label": words },
      svg("line", { x1: at(0), y1: up(0), x2: at(1), y2: up(1), class: "axis" }), ...ticks, ...curve(before, "mock"), ...curve(after, "test")),
    element("p", {}, words));
}

async function showFilters(run) {
  try {
    const found = await ask(address("filters"));
    if (still(run)) of("filters").replaceChildren(...found.map((one, at) => element("li", {}, picture(one, _("Weights of unit {unit}", { unit: at + 1 })))));
  } catch { /* there are none yet */ }
}

async function showAugmented(run) {
  const found = await ask(address("augmented"));
  if (!still(run)) return;
  of("augmented").replaceChildren(...found.map((one, at) => element("li", {}, picture(one, at % 6 ? _("as the network is shown it") : _("as it is")))));
  if (found.length === 0) of("augmented").append(element("li", { class: "quiet" }, _("Its recipe changes no image.")));
}

async function showLayers(run) {
  const wanted = numberIn(place);
  wrong.textContent = "";
  const [[image], found] = await Promise.all([ask(address("images"), { places: [wanted] }), ask(address("layers"), { place: wanted })]);
  if (!still(run)) return;
  const rows = found.map((layer) => element("div", { class: "layer" },
    element("p", {}, element("strong", {}, layer.kind), ` ${layer.name} → ${layer.shape.join(" × ")}`),
    layer.maps ? element("ul", { class: "thumbs small" }, ...layer.maps.map((one, at) => element("li", {}, picture(one, _("Map {map} of {layer}", { map: at + 1, layer: layer.name })))))
      : numbers(layer)));
  of("layers").replaceChildren(...(image ? [element("div", { class: "layer" }, element("p", {}, element("strong", {}, _("The image"))), element("ul", { class: "thumbs" }, element("li", {}, picture(image, _("Validation image {place}", { place: wanted })))))] : []), ...rows);
}

// Numbers without a place in the picture, as bars up and down from 0.
function numbers({ numbers: values, name }) {
  const largest = Math.max(1e-9, ...values.map(Math.abs));
  const width = 700 / values.length;
  return svg("svg", { viewBox: "0 0 700 60", class: "numbers", role: "img", "aria-label": _("{count} numbers of {layer}", { count: values.length, layer: name }), preserveAspectRatio: "none" },
    ...values.map((value, at) => svg("rect", { x: at * width, width: Math.max(1, width - 1), y: value > 0 ? 30 - 28 * value / largest : 30, height: Math.max(0.5, 28 * Math.abs(value) / largest), class: value > 0 ? "up" : "down" })));
}

place.addEventListener("change", () => showLayers(shown).catch((error) => { wrong.textContent = error.message; }));
of("next").addEventListener("click", () => { place.value = String((Number(plain(place.value)) || 0) + 1); place.dispatchEvent(new Event("change")); });

const runs = chooseRun(select, (run) => run.kept || run.state === "running", show, (run, before) => {
  // Its weights have grown.
  if (run.name === shown && run.epochs !== before?.epochs) showFilters(shown);
});
