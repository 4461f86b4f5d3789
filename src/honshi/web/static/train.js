// Begin a training, see how far it is, stop it, go on with it, and try what its verdict suggests.

import { _, ask, element, giveBack, listen, percent, plain, whole } from "./lab.js";

const form = document.getElementById("training");
const recipe = document.getElementById("recipe");
const wrong = document.getElementById("wrong");
const holder = document.getElementById("running");
const fields = [...form.querySelectorAll("[data-key]")];
const runs = new Map();
const begun = new Set(JSON.parse(sessionStorage.getItem("honshi-begun") ?? "[]"));
const verdicts = new Map();

const recipes = await ask("/api/recipes");
recipe.append(...Object.keys(recipes).map((name) => element("option", { value: name }, name)));
recipe.value = "lecture";

const value = (table, key) => key.split(".").reduce((part, name) => part?.[name], table);
const text = (found) => (found === undefined || found === null ? "" : Array.isArray(found) ? found.join(", ") : String(found));

function fill() {
  for (const field of fields) {
    const found = value(recipes[recipe.value], field.dataset.key);
    const [part, key] = field.dataset.key.split(".");
    field.value = text(found);
    // What this kind of network or optimizer does not have is not offered.
    field.closest(".field").hidden = found === undefined && part !== "data" && !["patience"].includes(key);
  }
}

function typed(key, entered) {
  if (entered === "") return undefined;
  if (key === "data.source") return entered;
  if (key === "model.hidden") return entered.split(",").map((one) => one.trim()).filter(Boolean).map(Number);
  const number = Number(entered);
  return Number.isNaN(number) ? entered : number;
}

function changes() {
  const found = {};
  for (const field of fields) {
    if (field.closest(".field").hidden) continue;
    const entered = plain(field.value);
    const before = value(recipes[recipe.value], field.dataset.key);
    if (entered !== text(before)) found[field.dataset.key] = typed(field.dataset.key, entered) ?? null;
  }
  return found;
}

recipe.addEventListener("change", fill);
giveBack();
fill();
giveBack();
// Nothing that is typed before is overwritten by what the recipe says.
form.inert = false;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong.textContent = "";
  await begin({ recipe: recipe.value, changes: changes() });
});

async function begin(request) {
  try {
    const { run } = await ask("/api/trainings", request);
    begun.add(run);
    sessionStorage.setItem("honshi-begun", JSON.stringify([...begun]));
    draw();
  } catch (error) {
    wrong.textContent = error.message;
    wrong.scrollIntoView({ block: "nearest" });
  }
}

async function tell(run, path) {
  try {
    await ask(`/api/runs/${encodeURI(run.name)}/${path}`, {});
  } catch (error) {
    wrong.textContent = error.message;
  }
}

function far(run) {
  const { training, epochs, total } = run;
  const done = training?.steps ? ((training.epoch ?? 1) - 1) * training.steps + (training.step ?? 0) : 0;
  const all = training?.steps ? total * training.steps : 1;
  const bar = element("progress", { value: Math.min(done, all), max: all, "aria-label": _("Progress of {run}", { run: run.name }) });
  const words = training?.steps
    ? _("epoch {epoch} of {total}, step {step} of {steps}", {
      epoch: Math.min(training.epoch ?? 1, total), total, step: whole.format(training.step ?? 0), steps: whole.format(training.steps),
    })
    : _("{epochs} of {total} epochs", { epochs: epochs ?? 0, total: total ?? "?" });
  return [bar, element("p", {}, words)];
}

function card(run) {
  const parts = [element("h2", {}, element("a", { href: `/#runs=${encodeURIComponent(encodeURIComponent(run.name))}` }, run.name))];
  if (run.state === "running") {
    parts.push(...far(run), element("button", { type: "button", onclick: () => tell(run, "stop") }, _("Stop")));
  } else if (["interrupted", "killed", "failed"].includes(run.state)) {
    parts.push(
      element("p", {}, run.problem ?? _("It is not being trained.")),
      element("button", { type: "button", onclick: () => tell(run, "resume") }, _("Go on")),
    );
    const note = element("pre", { class: "printed" });
    parts.push(note);
    ask(`/api/runs/${encodeURI(run.name)}/printed`).then((found) => { note.textContent = found.printed; }, () => {});
  }
  if (run.kept) {
    parts.push(element("p", {}, _("Validation accuracy {accuracy}, 95 % interval {low} to {high}", {
      accuracy: percent(run.kept.val_accuracy), low: percent(run.interval[0]), high: percent(run.interval[1]),
    })));
  }
  if (run.state === "finished" || run.state === "diverged") parts.push(verdictOf(run));
  return element("article", { "data-run": run.name, class: "card" }, ...parts);
}

function verdictOf(run) {
  const place = element("div", { class: "verdict" });
  const known = verdicts.get(run.name);
  if (known === undefined) {
    place.textContent = _("What do its curves say? …");
    verdicts.set(run.name, null);
    ask(`/api/runs/${encodeURI(run.name)}/diagnosis`).then((found) => { verdicts.set(run.name, found); draw(); }, (error) => { place.textContent = error.message; });
    return place;
  }
  if (known === null) return place;
  place.append(element("p", {}, known.sentence));
  place.append(...known.remedies.filter((one) => Object.keys(one.changes).length > 0).slice(0, 4).map((one) => element("p", {},
    element("button", { type: "button", onclick: () => begin({ recipe: run.name, changes: one.changes }) }, _("Try {remedy}", { remedy: one.name })), " ", one.why)));
  return place;
}

function draw() {
  const shown = [...runs.values()].filter((run) => run.state === "running" || begun.has(run.name)).reverse();
  holder.replaceChildren(...shown.map(card));
}

listen((news) => {
  if (news.event === "runs") { runs.clear(); for (const run of news.runs) runs.set(run.name, run); }
  else if (news.event === "run") {
    if (runs.get(news.run.name)?.state === "running" && news.run.state !== "running") begun.add(news.run.name);
    runs.set(news.run.name, news.run);
  } else if (news.event === "gone") runs.delete(news.name);
  if (news.event !== "lost") draw();
});
