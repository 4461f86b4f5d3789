// Draw, and see at once what one or two models take it for and what they see.

import { follow, isTrained, noOption, offered, option } from "./choosing.js";
import { _, ask, element, keepScene, percent, scene, send } from "./lab.js";
import { drawPixels } from "./pixels.js";

const paper = document.getElementById("paper");
const ink = paper.getContext("2d", { willReadFrequently: true });
const pen = document.getElementById("pen");
const invert = document.getElementById("invert");
const asIs = document.getElementById("as-is");
const wrong = document.getElementById("wrong");
const heard = document.getElementById("heard");
const label = document.getElementById("label");
const keep = document.getElementById("keep");
const kept = document.getElementById("kept");
const places = [0, 1].map((at) => {
  const holder = document.getElementById(`answer-${at}`);
  return { holder, model: document.getElementById(`model-${at}`), seen: holder.querySelector(".seen"), says: holder.querySelector(".says"), bars: holder.querySelector(".bars") };
});
const MOST_BARS = 10;
// What is looked at: the drawing, or the bytes of a picture; null is an empty paper.
let file = null;
let drawn = false;

function clear() {
  ink.fillStyle = "#fff";
  ink.fillRect(0, 0, paper.width, paper.height);
  file = null;
  drawn = false;
  wrong.textContent = kept.textContent = "";
  keep.disabled = true;
  for (const place of places) empty(place);
}

function empty(place) {
  place.says.textContent = "";
  place.says.className = "says";
  place.seen.getContext("2d").clearRect(0, 0, place.seen.width, place.seen.height);
  for (const bar of place.bars.children) fill(bar, 0);
  place.holder.classList.toggle("unused", place.model.value === "");
}

// Strokes: by mouse, finger or pen; their thickness follows the pen's pressure where it has one.
let last = null;

function at(event) {
  const box = paper.getBoundingClientRect();
  return [(event.clientX - box.left) * paper.width / box.width, (event.clientY - box.top) * paper.height / box.height];
}

function stroke([x, y], pressure = 0.5) {
  const from = last ?? [x, y];
  if (file !== null) clear();
  ink.strokeStyle = ink.fillStyle = "#000";
  ink.lineCap = ink.lineJoin = "round";
  ink.lineWidth = Number(pen.value) * (0.5 + pressure);
  ink.beginPath();
  ink.moveTo(...from);
  ink.lineTo(x, y + (from[0] === x && from[1] === y ? 0.01 : 0));
  ink.stroke();
  last = [x, y];
  drawn = true;
  keep.disabled = false;
  kept.textContent = "";
  look();
}

paper.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  paper.setPointerCapture(event.pointerId);
  last = null;
  stroke(at(event), event.pressure || 0.5);
});
paper.addEventListener("pointermove", (event) => {
  if (!paper.hasPointerCapture(event.pointerId)) return;
  for (const part of event.getCoalescedEvents?.() ?? [event]) stroke(at(part), part.pressure || 0.5);
});
for (const name of ["pointerup", "pointercancel"]) paper.addEventListener(name, () => { last = null; tell(); });

// By keys: a pen that the arrows move.
const hand = { x: paper.width / 2, y: paper.height / 4, down: false };
const mark = document.getElementById("hand");
const STEP = 14;
paper.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.key === " ") {
    hand.down = !hand.down;
    if (hand.down) { last = null; stroke([hand.x, hand.y]); } else { last = null; tell(); }
  } else if (event.key === "Delete" || event.key === "Backspace" || event.key === "Escape") {
    clear();
  } else if (move !== undefined) {
    const far = event.shiftKey ? STEP / 2 : STEP;
    hand.x = Math.min(Math.max(hand.x + far * move[0], 0), paper.width);
    hand.y = Math.min(Math.max(hand.y + far * move[1], 0), paper.height);
    if (hand.down) stroke([hand.x, hand.y]);
  } else {
    return;
  }
  event.preventDefault();
  showHand();
});
paper.addEventListener("focus", showHand);
paper.addEventListener("blur", () => { mark.hidden = true; });

function showHand() {
  mark.hidden = !paper.matches(":focus-visible");
  mark.style.left = `${100 * hand.x / paper.width}%`;
  mark.style.top = `${100 * hand.y / paper.height}%`;
  mark.classList.toggle("down", hand.down);
}

// Asking: one question at a time, and always about what is on the paper by then.
let asking = false;
let again = false;

function address() {
  const chosen = [...new Set(places.map((place) => place.model.value).filter(Boolean))];
  const query = new URLSearchParams(chosen.map((name) => ["run", name]));
  if (invert.checked) query.set("invert", "");
  if (asIs.checked) query.set("as-is", "");
  if (file === null) { query.set("width", paper.width); query.set("height", paper.height); }
  return { chosen, query };
}

function bytes() {
  if (file !== null) return file;
  const { data } = ink.getImageData(0, 0, paper.width, paper.height);
  const grey = new Uint8Array(data.length / 4);
  for (let place = 0; place < grey.length; place += 1) grey[place] = data[4 * place];
  return grey;
}

async function look() {
  if (asking) { again = true; return; }
  const { chosen, query } = address();
  if (chosen.length === 0 || (!drawn && file === null)) return;
  asking = true;
  try {
    const began = performance.now();
    const answers = await send(`/api/look?${query}`, bytes());
    if (drawn || file !== null) for (const place of places) show(place, answers[place.model.value]);
    wrong.textContent = "";
    paper.dataset.milliseconds = String(performance.now() - began);
  } catch (error) {
    wrong.textContent = error.message;
  }
  asking = false;
  if (again) { again = false; look(); }
}

function show(place, answer) {
  if (answer === undefined) return;
  drawPixels(place.seen, answer.seen);
  const order = answer.classes.map((name, at) => [name, answer.probabilities[at]]);
  const shown = order.length <= MOST_BARS ? order : order.sort((a, b) => b[1] - a[1]).slice(0, MOST_BARS);
  const [best, confidence] = order.reduce((one, other) => (other[1] > one[1] ? other : one));
  if (place.bars.children.length !== shown.length) place.bars.replaceChildren(...shown.map(() => bar()));
  shown.forEach(([name, probability], at) => {
    const row = place.bars.children[at];
    row.children[0].textContent = name;
    row.classList.toggle("best", name === best);
    fill(row, probability);
  });
  place.says.className = answer.unlike ? "says unlike" : "says";
  const parts = [_("{label}, {confidence}", { label: best, confidence: percent(confidence, 1) })];
  if (answer.unlike) parts.push(_("It is unlike anything that this model was trained on: do not rely on the answer."));
  if (answer.inverted) parts.push(_("Dark and light seem to be swapped."));
  place.says.textContent = parts.join(" ");
  place.says.dataset.label = best;
}

function bar() {
  return element("li", {}, element("span", { class: "name" }), element("span", { class: "track" }, element("span", { class: "fill" })), element("span", { class: "number" }));
}

function fill(row, probability) {
  row.querySelector(".fill").style.width = `${100 * probability}%`;
  row.lastChild.textContent = percent(probability, 1);
}

// For those who listen: when a stroke is over, not while it is drawn.
function tell() {
  setTimeout(() => { heard.textContent = places.map((place) => place.says.textContent).filter(Boolean).join("; "); }, 300);
}

async function open(picture) {
  clear();
  file = new Uint8Array(await picture.arrayBuffer());
  keep.disabled = false;
  try {
    const image = await createImageBitmap(picture);
    const scale = Math.min(paper.width / image.width, paper.height / image.height);
    const [width, height] = [image.width * scale, image.height * scale];
    ink.drawImage(image, (paper.width - width) / 2, (paper.height - height) / 2, width, height);
  } catch { /* what a browser does not show, the lab may read */ }
  await look();
  tell();
}

document.getElementById("file").addEventListener("change", ({ target }) => { if (target.files[0]) open(target.files[0]); target.value = ""; });
addEventListener("paste", ({ clipboardData }) => { const picture = clipboardData.files[0]; if (picture) open(picture); });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => { event.preventDefault(); const picture = event.dataTransfer.files[0]; if (picture) open(picture); });
document.getElementById("clear").addEventListener("click", () => { clear(); paper.focus(); });
for (const box of [invert, asIs]) box.addEventListener("change", look);

// Models.
const learnt = new Set();

async function learn(name) {
  if (learnt.has(name)) return;
  learnt.add(name);
  try { await ask(`/api/runs/${encodeURI(name)}/learn`, {}); look(); } catch { /* its data may be gone; it answers all the same */ }
}

async function chosen() {
  keepScene({ model: places[0].model.value, beside: places[1].model.value });
  for (const place of places) empty(place);
  look();
  const first = places[0].model.value;
  for (const place of places) if (place.model.value) learn(place.model.value);
  const classes = first ? (await ask(`/api/runs/${encodeURI(first)}/classes`)).classes : [];
  label.replaceChildren(...classes.map((name) => element("option", { value: name }, name)));
  places[0].bars.replaceChildren(...classes.slice(0, MOST_BARS).map(() => bar()));
  classes.slice(0, MOST_BARS).forEach((name, at) => { places[0].bars.children[at].firstChild.textContent = name; fill(places[0].bars.children[at], 0); });
}

for (const place of places) place.model.addEventListener("change", chosen);

function offer(runs) {
  const able = offered(runs, isTrained);
  const names = able.map((run) => run.name);
  const wanted = [scene().get("model") ?? names[0] ?? "", scene().get("beside") ?? ""];
  const before = places.map((place) => place.model.value);
  places.forEach((place, at) => {
    const options = able.map(option);
    if (able.length === 0) options.unshift(noOption());
    else if (at === 1) options.unshift(element("option", { value: "" }, _("nothing")));
    place.model.replaceChildren(...options);
    place.model.value = names.includes(wanted[at]) ? wanted[at] : at === 0 ? names[0] ?? "" : "";
  });
  if (places.some((place, at) => place.model.value !== before[at])) chosen();
}

keep.addEventListener("click", async () => {
  const { query } = address();
  query.set("label", label.value);
  keep.disabled = true;
  try {
    const { path } = await send(`/api/runs/${encodeURI(places[0].model.value)}/keep?${query}`, bytes());
    kept.textContent = _("Kept as {path}; train on all of them with: honshi train drawings", { path });
  } catch (error) {
    kept.textContent = error.message;
  }
  keep.disabled = false;
});

clear();
follow(offer);
