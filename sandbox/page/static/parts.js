// Parts of the page: fetched when something changed, and put in place without disturbing what stayed the same.

import { go, query, state } from "./state.js";
import { times } from "./times.js";
import { keepTyped, showView } from "./views.js";

const wanted = new Set();
let running = false;
const shown = new Map();

export const place = (name) => document.querySelector(`[data-part="${name}"]`);

/** Ask for parts anew. Calls that come while one is under way are answered together by the next. */
export function refresh(...names) {
  names.forEach((name) => wanted.add(name));
  if (!running) run();
}

async function run() {
  running = true;
  while (wanted.size) {
    const names = [...wanted];
    wanted.clear();
    const asked = `${state.me}/${state.channel}/${state.thread}/${state.tab}`;
    try {
      const answer = await fetch(`page/parts?${query({ want: names.join(",") })}`);
      const { html, channel } = await answer.json();
      // Somebody went elsewhere while this was under way: what it says is about another channel.
      if (asked !== `${state.me}/${state.channel}/${state.thread}/${state.tab}`) names.forEach((name) => wanted.add(name));
      else if (channel !== state.channel) { go({ channel }, { push: false }); names.forEach((name) => wanted.add(name)); }
      else for (const [name, text] of Object.entries(html)) put(name, text);
    } catch {
      await new Promise((wake) => setTimeout(wake, 1000));
      names.forEach((name) => wanted.add(name));
    }
  }
  running = false;
}

function put(name, html) {
  if (shown.get(name) === html) return;
  shown.set(name, html);
  const at = place(name);
  if (name === "view") return showView(at, html);
  if (name === "messages" || name === "thread") return putList(at, html);
  if (at.querySelector(".menu:not([hidden])")) { shown.delete(name); setTimeout(() => refresh(name), 1500); return; }
  const open = new Map(folds(at));
  at.innerHTML = html;
  for (const [name, , fold] of folds(at)) fold.open = open.get(name) ?? fold.open;
  times(at);
}

/** What is folded away, by the words that one clicks to see it: a fold that somebody opened stays open. */
const folds = (at) => [...at.querySelectorAll("details")].map((one) => [one.querySelector("summary").firstChild.textContent.trim(), one.open, one]);

/** A list keeps the items whose fingerprint did not change, and its place unless it was at the end. */
function putList(at, html) {
  const scroll = at.closest(".scroll");
  const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
  const where = `${state.me}/${state.channel}/${at.dataset.part === "thread" ? state.thread : ""}`;
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  const list = at.querySelector("[data-list]");
  if (at.dataset.where !== where || !list) {
    at.replaceChildren(fresh.content);
    at.dataset.where = where;
    times(at);
    requestAnimationFrame(() => toEnd(scroll));
    return;
  }
  const next = fresh.content.querySelector("[data-list]");
  // Around the list: the app's Home, or the line that says that there is nothing.
  [...at.children].filter((child) => child !== list).forEach((child) => child.remove());
  [...fresh.content.children].filter((child) => child !== next).forEach((child) => list.before(child));
  reconcile(list, next);
  times(at);
  if (atEnd) toEnd(scroll);
}

/** Messages are read from their end; the app's Home from its beginning. */
export function toEnd(scroll) {
  scroll.scrollTop = scroll.querySelector(".home") ? 0 : scroll.scrollHeight;
}

function reconcile(list, next) {
  const have = new Map([...list.children].map((item) => [item.dataset.key, item]));
  let cursor = list.firstElementChild;
  for (const item of [...next.children]) {
    const old = have.get(item.dataset.key);
    have.delete(item.dataset.key);
    if (old && old.dataset.rev === item.dataset.rev) {
      if (old === cursor) cursor = cursor.nextElementSibling;
      else list.insertBefore(old, cursor);
    } else if (old) {
      keepTyped(old, item);
      if (old === cursor) cursor = cursor.nextElementSibling;
      old.replaceWith(item);
    } else {
      list.insertBefore(item, cursor);
    }
  }
  have.forEach((item) => item.remove());
}
