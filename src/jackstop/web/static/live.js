// Keeps the open alerts fresh, and says when the alert on the page has changed. Without it the pages work all the same.
"use strict";
(() => {
  const part = document.querySelector("[data-live-part]");
  const notice = document.querySelector("[data-changed]");
  if (!("EventSource" in window) || !(part || notice)) return;

  const state = document.querySelector("[data-live-state]");
  const say = (kind) => {
    if (!state) return;
    state.classList.toggle("on", kind === "live");
    state.classList.toggle("wait", kind === "waiting");
    state.querySelector("[data-live-words]").textContent = state.dataset[kind];
  };

  let due = 0, busy = false, again = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(part.dataset.livePart, { headers: { Accept: "text/html" }, credentials: "same-origin", redirect: "manual" });
      if (answer.type === "opaqueredirect" || answer.status === 401) { location.reload(); return; }
      if (answer.ok) show(await answer.text());
    } catch { say("waiting"); } finally {
      busy = false;
      if (again) { again = false; soon(); }
    }
  };
  const soon = () => { clearTimeout(due); due = setTimeout(refresh, 150); };

  const links = (root) => new Set([...root.querySelectorAll("th[scope=row] a")].map((a) => a.getAttribute("href")));
  const show = (html) => {
    const known = links(part);
    const focused = document.activeElement && part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
    for (const a of part.querySelectorAll("th[scope=row] a")) {
      if (!known.has(a.getAttribute("href"))) a.closest("tr").classList.add("fresh");
      if (a.getAttribute("href") === focused) a.focus();
    }
    const teller = document.querySelector("[data-announce]");
    const n = part.querySelector("[data-count]")?.dataset.count;
    if (teller && links(part).size !== known.size) teller.textContent = teller.dataset.announce.replace("#", n);
  };

  const source = new EventSource("/v1/events");
  source.onopen = () => { say("live"); if (part) soon(); };
  source.onerror = () => say(source.readyState === EventSource.CLOSED ? "off" : "waiting");
  const told = (event) => {
    if (part) soon();
    if (notice && JSON.parse(event.data).ref === notice.dataset.changed) notice.hidden = false;
  };
  for (const kind of ["alert", "handling"]) source.addEventListener(kind, told);
  source.addEventListener("action", (event) => {
    const body = JSON.parse(event.data).body;
    if (notice && body && body.alert === notice.dataset.changed) notice.hidden = false;
  });
  if (part) setInterval(() => { if (!document.hidden) refresh(); }, 30000);
  addEventListener("pagehide", () => source.close());
})();
