// The exam: what validation says and how worn it is, what is expected, and the score, once.

import { chooseRun, isTrained } from "./choosing.js";
import { _, ask, element, percent, plain, svg, whole } from "./lab.js";

const select = document.getElementById("run");
const wrong = document.getElementById("wrong");
const before = document.getElementById("before");
const said = document.getElementById("said");
const expected = document.getElementById("expected");
const chips = document.getElementById("expectations");
const name = document.getElementById("name");
const open = document.getElementById("open");
const result = document.getElementById("result");
let expectations = [];
let asked = null;

async function about(run) {
  asked = run;
  before.hidden = result.hidden = true;
  wrong.textContent = "";
  name.value = "";
  open.disabled = true;
  expectations = [];
  drawChips();
  if (!run) return;
  try {
    const found = await ask(`/api/runs/${encodeURI(run)}/before-exam`, {});
    if (asked !== run) return;
    if (found.result !== null) return show(found.validation, found.result, found.sentences);
    said.replaceChildren(...found.sentences.map((sentence) => element("p", {}, sentence)));
    before.hidden = false;
  } catch (error) {
    if (asked === run) wrong.textContent = error.message;
  }
}

document.getElementById("expecting").addEventListener("submit", (event) => {
  event.preventDefault();
  wrong.textContent = "";
  for (const word of plain(expected.value).replace(/[%,;]/g, " ").split(/\s+/).filter(Boolean)) {
    const value = Number(word);
    if (!(value >= 0 && value <= 100)) { wrong.textContent = _("{word} is no percentage: an accuracy lies between 0 and 100.", { word }); return; }
    expectations.push(value / 100);
  }
  expected.value = "";
  drawChips();
  expected.focus();
});

function drawChips() {
  chips.replaceChildren(...expectations.map((value, at) => element("li", {}, element("button", {
    type: "button", "aria-label": _("Take back {value}", { value: percent(value, 1) }),
    onclick: () => { expectations.splice(at, 1); drawChips(); },
  }, `${percent(value, 1)} ×`))));
}

name.addEventListener("input", () => { open.disabled = plain(name.value) !== select.value; });

document.getElementById("opening").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (open.disabled) return;
  // Whoever wrote a number and forgot to add it has said it all the same.
  if (plain(expected.value) !== "") document.getElementById("expecting").requestSubmit();
  if (wrong.textContent !== "") return;
  open.disabled = true;
  const run = select.value;
  said.append(element("p", { class: "verdict" }, _("The exam is being sat …")));
  try {
    const found = await ask(`/api/runs/${encodeURI(run)}/exam`, { name: plain(name.value), expectations });
    if (asked === run) show(found.validation, found.result, found.sentences);
  } catch (error) {
    said.lastChild.remove();
    wrong.textContent = error.message;
    open.disabled = false;
  }
});

function show(validation, exam, sentences) {
  const [low, high] = exam.interval;
  const guesses = exam.record.expectations ?? (exam.expected === null ? [] : [exam.expected]);
  result.replaceChildren(
    element("p", { class: "score" }, element("strong", {}, percent(exam.accuracy)), " ", _("95 % interval {low} to {high}, n = {n}", { low: percent(low), high: percent(high), n: whole.format(exam.n) })),
    strip(exam, validation, guesses),
    ...[...sentences, ...exam.sentences].map((sentence) => element("p", {}, sentence)),
    element("div", { class: "wide" }, element("table", {},
      element("caption", {}, _("Each class")),
      element("thead", {}, element("tr", {}, ...[_("class"), _("precision"), _("recall"), _("images")].map((head, at) => element("th", { scope: "col", class: at ? "number" : "" }, head)))),
      element("tbody", {}, ...Object.entries(exam.per_class).map(([label, score]) => element("tr", {},
        element("th", { scope: "row" }, label), ...[score.precision, score.recall].map((value) => element("td", { class: "number" }, value === null ? "—" : percent(value))), element("td", { class: "number" }, whole.format(score.n)))))),
    ),
  );
  before.hidden = true;
  result.hidden = false;
  result.focus({ preventScroll: true });
}

// The test score with its interval, validation's, and what was expected, on one line each.
function strip(exam, validation, guesses) {
  const values = [...exam.interval, ...validation.interval, ...guesses];
  const [least, most] = [Math.max(0, Math.min(...values) - 0.01), Math.min(1, Math.max(...values) + 0.01)];
  const x = (value) => 150 + 620 * (value - least) / (most - least);
  const parts = [];
  const line = (y, title, accuracy, interval, kind) => parts.push(
    svg("text", { x: 140, y: y + 5, "text-anchor": "end" }, title),
    svg("line", { x1: x(interval[0]), x2: x(interval[1]), y1: y, y2: y, class: kind }),
    svg("circle", { cx: x(accuracy), cy: y, r: 7, class: kind }));
  line(30, _("test"), exam.accuracy, exam.interval, "test");
  line(70, _("validation"), validation.accuracy, validation.interval, "mock");
  if (guesses.length) {
    parts.push(svg("text", { x: 140, y: 115, "text-anchor": "end" }, _("expected")));
    guesses.forEach((guess, at) => parts.push(svg("path", { d: `M${x(guess)} ${101 + 6 * (at % 3)}l6 9h-12z`, class: "guess" })));
  }
  const bottom = guesses.length ? 140 : 100;
  parts.push(svg("line", { x1: 150, x2: 770, y1: bottom, y2: bottom, class: "axis" }));
  for (let tick = 0; tick <= 4; tick += 1) {
    const value = least + (most - least) * tick / 4;
    parts.push(svg("text", { x: x(value), y: bottom + 20, "text-anchor": "middle", class: "tick" }, percent(value, 1)));
  }
  const words = _("Test {test}, validation {validation}", { test: percent(exam.accuracy), validation: percent(validation.accuracy) });
  return svg("svg", { viewBox: `0 0 800 ${bottom + 30}`, class: "strip", role: "img", "aria-label": words }, ...parts);
}

chooseRun(select, isTrained, about);
