// What this tab looks at, and as whom. It lives in the address, so that every tab can be somebody else.

const body = document.body;

export const state = {
  get me() { return body.dataset.me; },
  get channel() { return body.dataset.channel; },
  get thread() { return body.dataset.thread || null; },
  tab: sessionStorage.getItem("tab") || "sentry",
};

export function go({ me = state.me, channel = state.channel, thread = null } = {}, { push = true } = {}) {
  body.dataset.me = me;
  body.dataset.channel = channel;
  body.dataset.thread = thread || "";
  body.toggleAttribute("data-thread-open", Boolean(thread));
  const query = new URLSearchParams({ me, channel });
  if (thread) query.set("thread", thread);
  if (push) history.pushState(null, "", `?${query}`);
}

export function query(extra = {}) {
  const all = new URLSearchParams({ me: state.me, channel: state.channel, tab: state.tab, ...extra });
  if (state.thread) all.set("thread", state.thread);
  if (document.hidden) all.set("seen", "no");
  return all;
}

export async function post(path, data) {
  try {
    const answer = await fetch(`page/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Sandbox-Page": "1" },
      body: JSON.stringify({ me: state.me, ...data }),
    });
    const result = await answer.json();
    if (result.problem) toast(result.problem, true);
    return result;
  } catch {
    toast("The sandbox does not answer. Is it still running?", true);
    return { problem: "unreachable" };
  }
}

export function toast(text, bad = false) {
  const note = document.createElement("div");
  note.className = bad ? "toast bad" : "toast";
  note.textContent = text;
  document.querySelector(".toasts").append(note);
  setTimeout(() => note.remove(), bad ? 7000 : 4000);
}
