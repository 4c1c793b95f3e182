// The page comes alive: where the tab goes, what the server says has changed, and everything outside messages.

import { draw } from "./chart.js";
import "./composer.js";
import { place, refresh, toEnd } from "./parts.js";
import { closeMenus } from "./press.js";
import { go, post, state, toast } from "./state.js";
import { times } from "./times.js";
import { connectViews, showView } from "./views.js";

const body = document.body;
const CONVERSATION = ["sidebar", "header", "messages", "thread", "view"];
let stream;

function follow() {
  stream?.close();
  stream = new EventSource(`page/stream?${new URLSearchParams({ me: state.me })}`);
  // After a gap anything may have changed.
  stream.addEventListener("open", () => refresh(...CONVERSATION, "status", "people", "start", "production", "breaks", "evidence"));
  stream.addEventListener("change", (event) => changed(JSON.parse(event.data)));
  stream.addEventListener("parts", (event) => refresh(...JSON.parse(event.data).parts));
  stream.addEventListener("rate", (event) => draw(JSON.parse(event.data)));
  stream.addEventListener("toast", (event) => toast(JSON.parse(event.data).text, true));
}

function changed({ kind, channel }) {
  if (kind.startsWith("view")) return refresh("view");
  if (kind === "home") return refresh("messages");
  if (channel === state.channel || state.channel === "app") refresh("messages", "thread", "header", "sidebar");
  else refresh("sidebar");
  if (kind === "channel") refresh("start");
}

function look(pane) {
  body.dataset.show = pane;
  document.querySelectorAll("[data-go-pane]").forEach((one) => one.toggleAttribute("aria-current", one.dataset.goPane === pane));
  if (pane === "world") draw();
}

function visit(target) {
  go(target);
  refresh(...CONVERSATION, "people", "start");
  if (state.channel === "app") post("home", {});
}

function openThread(ts) {
  visit({ thread: ts });
  side("thread");
  if (body.dataset.show === "messages") look("thread");
  document.querySelector('[data-composer="thread"] textarea').focus({ preventScroll: true });
}

function side(which) {
  body.dataset.side = which;
  document.querySelectorAll("[role=tab][data-side]").forEach((one) => one.setAttribute("aria-selected", one.dataset.side === which));
  if (which === "world") draw();
}

function theme() {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark"
    || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const next = dark ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
  draw();
}

async function showLog() {
  const dialog = document.querySelector("#log");
  const text = document.querySelector("#log-text");
  text.textContent = (await (await fetch("page/log")).json()).text || "Nothing was logged yet.";
  dialog.showModal();
  text.scrollTop = text.scrollHeight;
}

const CLICKS = {
  go: (one) => { visit({ channel: one.dataset.go }); look("messages"); side("world"); },
  me: (one) => { visit({ me: one.dataset.me, thread: state.thread }); follow(); },
  thread: (one) => openThread(one.dataset.thread),
  closeThread: () => { visit({}); side("world"); if (body.dataset.show === "thread") look("messages"); },
  side: (one) => side(one.dataset.side),
  goPane: (one) => look(one.dataset.goPane),
  themeToggle: theme,
  log: showLog,
  hideStart: () => { localStorage.setItem("start", "hidden"); place("start").hidden = true; },
  dismiss: (one) => post("dismiss", { ts: one.dataset.dismiss }),
  pin: (one) => post("pin", { channel: state.channel, ts: one.dataset.pin, on: one.dataset.on === "true" }),
  react: (one) => post("react", { channel: state.channel, ts: one.dataset.react, name: one.dataset.name, on: one.dataset.on === "true" }),
  edit: async (one) => {
    const text = prompt("Edit message", one.dataset.text);
    if (text?.trim()) await post("edit", { channel: state.channel, ts: one.dataset.edit, text });
  },
  delete: (one) => post("delete", { channel: state.channel, ts: one.dataset.delete }),
  shortcut: (one) => post("shortcut", { callback: one.dataset.shortcut, channel: state.channel, ts: one.dataset.ts ?? null }),
  jump: (one) => jump(one.dataset.jump),
  tab: (one) => {
    state.tab = one.dataset.tab;
    sessionStorage.setItem("tab", state.tab);
    refresh("evidence");
    document.querySelector(".evidence").scrollIntoView({ block: "start", behavior: "smooth" });
  },
  act: async (one) => {
    if (one.matches("input")) return;
    one.classList.add("busy");
    const answer = await post("world", { act: one.dataset.act, on: true });
    if (!answer.problem && one.dataset.done) toast(one.dataset.done);
    one.classList.remove("busy");
  },
};

/** A link of this world's own systems leads to its place on this page: a message, a Sentry issue, a Linear ticket, a pull request. */
function within(link) {
  const at = new URL(link.href, location.href);
  if (at.origin !== location.origin) return false;
  const message = at.pathname.match(/^\/archives\/(\w+)\/p(\d+)(\d{6})$/);
  if (message) {
    const thread = at.searchParams.get("thread_ts");
    if (message[1] !== state.channel || thread) visit({ channel: message[1], thread });
    look("messages");
    setTimeout(() => jump(`${message[2]}.${message[3]}`), 400);
    return true;
  }
  const tab = at.pathname.startsWith("/sentry/") ? "sentry" : at.pathname.startsWith("/linear/") ? "linear" : at.pathname.startsWith("/acme/shop/") ? "github" : null;
  if (tab) { CLICKS.tab({ dataset: { tab } }); side("world"); if (innerWidth <= 860) look("world"); }
  return Boolean(tab);
}

function jump(ts) {
  closeMenus();
  const message = place("messages").querySelector(`[data-ts="${CSS.escape(ts)}"]`);
  message?.scrollIntoView({ block: "center" });
  message?.classList.add("flash");
  setTimeout(() => message?.classList.remove("flash"), 1700);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest('a[target="_blank"]');
  if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey && within(link)) { event.preventDefault(); return; }
  for (const [name, run] of Object.entries(CLICKS)) {
    const attribute = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const one = event.target.closest(`[data-${attribute}]`);
    if (!one || one === body) continue;
    if (one.matches("a")) { if (event.metaKey || event.ctrlKey || event.shiftKey) return; event.preventDefault(); }
    run(one);
    return;
  }
});
document.addEventListener("change", (event) => {
  const lever = event.target.closest("input[data-act]");
  if (lever) post("world", { act: lever.dataset.act, on: lever.checked });
});
addEventListener("popstate", () => {
  const now = new URLSearchParams(location.search);
  go({ me: now.get("me") ?? state.me, channel: now.get("channel") ?? state.channel, thread: now.get("thread") }, { push: false });
  refresh(...CONVERSATION, "people");
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh("sidebar", "messages"); });

connectViews(refresh);
const wanted = new URLSearchParams(location.search).get("tab");
if (wanted) state.tab = wanted;
go({ thread: state.thread }, { push: false });
if (state.channel === "app") post("home", {});
if (state.thread) side("thread");
if (localStorage.getItem("start") === "hidden") place("start").hidden = true;
times(document);
for (const name of ["messages", "thread"]) {
  place(name).dataset.where = `${state.me}/${state.channel}/${name === "thread" ? state.thread : ""}`;
  const scroll = place(name).closest(".scroll");
  toEnd(scroll);
}
if (/^#p\d{7,}$/.test(location.hash)) setTimeout(() => jump(`${location.hash.slice(2, -6)}.${location.hash.slice(-6)}`), 300);
const first = place("view").innerHTML;
if (place("view").querySelector(".view")) { place("view").replaceChildren(); showView(place("view"), first); }
follow();
