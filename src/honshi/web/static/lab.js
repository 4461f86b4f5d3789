// What every page of the lab shares: words, asking the server, the stream of news, and the tools at the top.

const WORDS = JSON.parse(document.getElementById("words").textContent);
export const LANGUAGE = document.documentElement.lang;

// A sentence in the language of the page, its {places} filled in.
export function _(sentence, values = {}) {
  const known = WORDS[sentence] ?? sentence;
  return known.replace(/\{(\w+)\}/g, (place, name) => String(values[name] ?? place));
}

export const whole = new Intl.NumberFormat(LANGUAGE);
export const percent = (value, digits = 2) => `${(100 * value).toFixed(digits)} %`;

export class AnswerError extends Error {}

// Plain values from the server, by GET without a body; what is wrong is thrown in its words.
export const ask = (path, body) => fetched(path, body === undefined ? {} : posted("application/json", JSON.stringify(body)));

// The same for bytes that are sent.
export const send = (path, bytes) => fetched(path, posted("application/octet-stream", bytes));

const posted = (kind, body) => ({ method: "POST", headers: { "Content-Type": kind }, body });

async function fetched(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new AnswerError(_("The lab does not answer. Trainings go on; this page comes back by itself."));
  }
  const text = await response.text();
  if (response.status === 204) return null;
  let value = null;
  try { value = JSON.parse(text); } catch { /* a refusal is plain text */ }
  if (!response.ok) throw new AnswerError(value?.error ?? text.trim());
  return value;
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// The same for a picture of lines and words.
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Full-width digits are digits, and so is their comma.
export const plain = (typed) => typed.normalize("NFKC").replace(/、/g, ",").trim();

// Every tab has one connection in common, for a browser opens only six to a server.
export function listen(heard) {
  const said = (news) => {
    document.getElementById("lost").hidden = news.event !== "lost";
    heard(news);
  };
  if (typeof SharedWorker === "function") {
    const worker = new SharedWorker("/static/stream.js", { name: "honshi" });
    worker.port.onmessage = ({ data }) => said(data);
    worker.port.start();
    addEventListener("pagehide", () => worker.port.postMessage("leave"));
    addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
    return;
  }
  const stream = new EventSource("/events");
  stream.onmessage = ({ data }) => said(JSON.parse(data));
  stream.onerror = () => said({ event: "lost" });
}

// What a scene is, in the address, so that it can be shown again.
export function scene() {
  return new URLSearchParams(location.hash.slice(1));
}

export function keepScene(values) {
  const found = scene();
  for (const [key, value] of Object.entries(values)) {
    if (value === null || value === "" || value === undefined) found.delete(key);
    else found.set(key, value);
  }
  history.replaceState(null, "", `#${found}`);
}

const projector = document.getElementById("projector");

function project(on) {
  document.documentElement.classList.toggle("projector", on);
  projector.setAttribute("aria-pressed", String(on));
  keepScene({ projector: on ? "1" : null });
  dispatchEvent(new Event("resize"));
}

projector.addEventListener("click", () => project(projector.getAttribute("aria-pressed") !== "true"));
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key.toLowerCase() === "p" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) projector.click();
});
if (scene().get("projector")) project(true);

// What was typed survives the change of the language.
const KEPT = `honshi-kept:${location.pathname}`;
for (const button of document.querySelectorAll("button.language")) {
  button.addEventListener("click", async () => {
    const typed = [...document.querySelectorAll("input[id], textarea[id], select[id]")]
      .map((field) => [field.id, field.type === "checkbox" || field.type === "radio" ? field.checked : field.value]);
    sessionStorage.setItem(KEPT, JSON.stringify(typed));
    await fetch(`/language/${button.value}`, { method: "POST" });
    location.reload();
  });
}
const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
sessionStorage.removeItem(KEPT);

// A page that fills its fields itself calls it again afterwards.
export function giveBack() {
  for (const [id, value] of kept) {
    const field = document.getElementById(id);
    if (field === null || field.type === "file") continue;
    if (typeof value === "boolean") field.checked = value;
    else field.value = value;
  }
}
giveBack();
