// A run that a page is about, chosen among those that there are, which come and go.

import { _, element, keepScene, listen, percent, plain, scene, AnswerError } from "./lab.js";

// The runs as they are. changed: told of all of them whenever one came, went or was finished; grown: of each run that
// is not as it was, and how it was.
export function follow(changed, grown = () => {}) {
  const runs = new Map();
  listen((news) => {
    if (news.event === "runs") { runs.clear(); for (const run of news.runs) runs.set(run.name, run); }
    else if (news.event === "run") {
      const before = runs.get(news.run.name);
      runs.set(news.run.name, news.run);
      grown(news.run, before);
      if (before !== undefined && before.finished === news.run.finished) return;
    } else if (news.event === "gone") runs.delete(news.name);
    else return;
    changed(runs);
  });
  return runs;
}

export const isTrained = (run) => run.finished && run.kept;

// Those that can be chosen, best first.
export const offered = (runs, can) => [...runs.values()].filter(can)
  .sort((a, b) => (b.kept?.val_accuracy ?? 0) - (a.kept?.val_accuracy ?? 0));

export const option = (run) => element("option", { value: run.name }, run.kept ? `${run.name} · ${percent(run.kept.val_accuracy)}` : run.name);

export const noOption = () => element("option", { value: "" }, _("There is no trained model yet: train one first."));

// Have a run chosen; the address keeps which. show: told its name, or "" where there is none.
export function chooseRun(select, can, show, grown) {
  let shown = null;
  const choose = () => {
    shown = select.value;
    keepScene({ run: shown });
    show(shown);
  };
  select.addEventListener("change", choose);
  return follow((runs) => {
    const able = offered(runs, can);
    const wanted = select.value || scene().get("run");
    select.replaceChildren(...(able.length ? able.map(option) : [noOption()]));
    select.value = able.some((run) => run.name === wanted) ? wanted : able[0]?.name ?? "";
    if (select.value !== shown) choose();
  }, grown);
}

// The number of an image that was typed.
export function numberIn(field) {
  const number = Number(plain(field.value));
  if (Number.isInteger(number) && number >= 0) return number;
  throw new AnswerError(_("{word} is not the number of an image.", { word: field.value }));
}
