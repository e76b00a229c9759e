/* Who is here and types, and what is unread. Without this file a page says it as it was when it was loaded. */
(() => {
  "use strict";
  const { $, $$, post, mergeAll } = window.claw;
  const FORM = "[data-compose]";

  // Who types: for a while after each word of it.
  const types = new Map();
  addEventListener("claw:typing", ({ detail: { name, task } }) => {
    if ($(FORM)?.dataset.task !== (task || undefined)) return;
    clearTimeout(types.get(name));
    types.set(name, setTimeout(silent, 6000, name));
    typing();
  });
  function silent(name) {
    clearTimeout(types.get(name));
    if (types.delete(name)) typing();
  }
  function typing() {
    const line = $(".typing"), all = [...types.keys()], shown = all.slice(0, 3), { one, many, and, others } = line.dataset;
    if (all.length > 3) shown.push(`${all.length - 3} ${others}`);
    line.textContent = [shown.slice(0, -1).join(", "), shown.at(-1)].filter(Boolean).join(` ${and} `) + ` ${all.length > 1 ? many : one}`;
    line.hidden = !all.length;
  }

  // Who is here.
  let here;
  addEventListener("claw:hello", ({ detail }) => $(`${FORM}, [data-here]`) && window.claw.send({ type: "people", workspace: detail.workspace }));
  addEventListener("claw:here", ({ detail }) => {
    here = new Set(detail.members);
    people();
  });
  const people = window.claw.people = () => here && $$("[data-here]").forEach((el) => (el.hidden = !here.has(el.dataset.here)));

  // Asked for by itself, and quietly: whoever leaves the page, or has no connection, is told of that elsewhere.
  let counting = 0;
  const count = () => $("#unread") && (counting ||= setTimeout(async () => {
    counting = 0;
    const answer = await fetch($("#unread").dataset.from).catch(() => null);
    if (answer?.ok) mergeAll(await answer.text());
  }, 300));
  addEventListener("reload", ({ target }) => target.id === "unread" && count(), true);

  // Unread: what was on the screen to its end is read. Nothing moves under the eyes of who reads further up.
  const talk = $("[data-reads]");
  if (!talk) return;
  const room = talk.matches(".talk"), last = () => $$(":scope > [id^=message-]", talk).at(-1)?.id.slice(8);
  let read = talk.hasAttribute("data-new") ? "" : last(), sent = 0, due = 0, low = true, missed = 0;
  const atEnd = () => {
    const end = talk.lastElementChild?.getBoundingClientRect();
    return Boolean(end?.height) && end.bottom < (room ? talk.getBoundingClientRect().bottom : innerHeight) + 60;
  };
  function look() {
    low = atEnd();
    if (low) missed = 0;
    const pill = $("[data-down]");
    if (pill) {
      pill.hidden = !missed;
      $("span", pill).textContent = `${missed} ${missed === 1 ? pill.dataset.one : pill.dataset.many}`;
      $(".room").toggleAttribute("data-low", low && !document.hidden);
    }
    if (low && !document.hidden && last() && last() !== read) due ||= setTimeout(tell, Math.max(0, sent + 3000 - Date.now()));
  }
  async function tell() {
    const upto = last();
    due = 0;
    sent = Date.now();
    if (document.hidden || !low) return;
    read = upto;
    const answer = await post(talk.dataset.reads, { message: upto }).catch(() => null);
    if (answer?.ok) count();
    else if (!answer) read = "";
  }
  new MutationObserver((changes) => {
    const was = low, fresh = changes.flatMap((change) => [...change.addedNodes]).filter((el) => el.id?.startsWith("message-"));
    fresh.forEach((el) => silent($("header b", el)?.textContent));
    requestAnimationFrame(() => { if (!was) missed += fresh.length; look(); });
  }).observe(talk, { childList: true });
  const down = (behavior) => talk.scrollTo({ top: room ? talk.scrollHeight : 0, behavior });
  addEventListener("click", ({ target }) => target.closest?.("[data-down]") && down("smooth"));
  // Whoever has said something looks at it.
  addEventListener("htmx:afterRequest", ({ detail }) => detail.successful && detail.elt.matches?.(FORM) && down("instant"));
  for (const type of ["scroll", "resize", "focus", "hashchange"]) addEventListener(type, look, { passive: true, capture: true });
  document.addEventListener("visibilitychange", () => { look(); if (!document.hidden) count(); });
  // Other workspaces are not followed here.
  setInterval(() => document.hidden || count(), 60000);
  const since = $(".since", talk);
  if (since && room && !location.hash) talk.scrollTop = since.offsetTop - talk.offsetTop - 48;
  look();
})();
