/* Messages: one's own signs, what opens over the page, links to messages and to copy. Without it all of these are pages. */
(() => {
  "use strict";
  const { $, $$, words, say, localise } = window.claw;

  // A fragment is the same for everybody; what is one's own is found out here.
  function own(list) {
    const me = list.dataset.me;
    for (const el of $$("[data-members]", list)) {
      const mine = String(el.dataset.members.split(" ").includes(me));
      if (el.getAttribute("aria-pressed") === mine) continue;
      el.setAttribute("role", "button");
      el.setAttribute("aria-pressed", mine);
    }
    for (const pre of $$(".md > pre, .md li > pre, .md blockquote > pre", list)) {
      const box = Object.assign(document.createElement("div"), { className: "code" });
      const button = Object.assign(document.createElement("button"), { type: "button", className: "btn btn--small code__copy" });
      button.dataset.copyCode = "";
      button.append(Object.assign(document.createElement("span"), { textContent: words.copy }));
      pre.replaceWith(box);
      box.append(pre, button);
    }
  }
  // The tab key goes to one message and what belongs to it; the arrows go from message to message.
  const at = new WeakMap();
  function rove(list) {
    const all = $$(":scope > .say", list), here = at.get(list)?.parentNode === list ? at.get(list) : all.at(-1);
    for (const el of all) {
      const tab = el === here ? "0" : "-1";
      if (el.getAttribute("tabindex") !== tab) el.setAttribute("tabindex", tab);
      for (const part of $$("a, button, .say__long", el)) if (part.getAttribute("tabindex") !== tab) part.setAttribute("tabindex", tab);
    }
  }
  addEventListener("focusin", ({ target }) => {
    const line = target.closest?.("[data-me] > .say"), list = line?.parentNode;
    if (!line || at.get(list) === line) return;
    at.set(list, line);
    rove(list);
  });
  addEventListener("keydown", (event) => {
    const list = event.target.closest?.("[data-me]"), line = event.target.closest?.(".say");
    if (!list || (event.target !== list && event.target !== line)) return;
    const all = $$(":scope > .say", list), now = line ? all.indexOf(line) : all.length;
    const to = { ArrowUp: now - 1, ArrowDown: now + 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || !all[to]) return;
    event.preventDefault();
    all[to].focus();
  });
  const known = new WeakSet();
  const look = () => $$("[data-me]").forEach((list) => {
    if (known.has(list)) return;
    known.add(list);
    const fit = () => { own(list); rove(list); };
    fit();
    new MutationObserver(fit).observe(list, {
      childList: true, subtree: true, attributes: true, attributeFilter: ["data-members", "aria-pressed", "tabindex"],
    });
  });

  // One box for whatever opens over the page: the menu of a message by its button, the rest in the middle.
  let box, opener;
  function popover() {
    if (box) return box;
    box = Object.assign(document.createElement("div"), { id: "over", popover: "auto" });
    box.setAttribute("role", "dialog");
    box.setAttribute("aria-label", words.message);
    document.body.append(box);
    box.addEventListener("toggle", ({ newState }) => {
      if (newState === "open") return;
      box.textContent = "";
      if (document.activeElement === document.body && opener?.isConnected) opener.focus();
    });
    return box;
  }
  async function open(link) {
    const over = popover(), inside = over.contains(link);
    if (!inside) opener = link;
    await htmx.ajax("GET", link.href, { source: link, target: over, swap: "innerHTML" });
    if (!over.childElementCount) return;
    localise(over);
    over.className = link.dataset.pop === "menu" ? "menu over over--menu" : "over";
    if (!over.matches(":popover-open")) over.showPopover();
    place(over, link);
    $("[autofocus], button, a, textarea", over)?.focus();
  }
  // Beside its button and inside the window. On a phone it lies at the bottom, by its style.
  function place(over, link) {
    const at = link.getBoundingClientRect(), { offsetWidth: wide, offsetHeight: high } = over;
    const under = at.bottom + 4 + high < innerHeight;
    over.style.setProperty("--over-x", `${Math.max(8, Math.min(at.right - wide, innerWidth - wide - 8))}px`);
    over.style.setProperty("--over-y", `${under ? at.bottom + 4 : Math.max(8, at.top - high - 4)}px`);
  }

  function press(el) {
    const values = { [el.getAttribute("aria-pressed") === "true" ? "unreact" : "react"]: el.dataset.sign };
    htmx.ajax("POST", el.closest("[data-react]").dataset.react, { source: el, values, swap: "none" });
  }
  function show(id) {
    const el = document.getElementById(id);
    if (!el?.closest("[data-me]")) return false;
    el.scrollIntoView({ block: "center" });
    el.classList.remove("is-found");
    void el.offsetWidth;
    el.classList.add("is-found");
    el.focus({ preventScroll: true });
    return true;
  }
  async function copy(text, el) {
    try { await navigator.clipboard.writeText(text); } catch { return; }
    $("span", el).textContent = words.copied;
    say(words.copied);
  }
  addEventListener("click", (event) => {
    const code = event.target.closest?.("[data-copy-code]");
    if (code) copy($("pre", code.parentElement).textContent, code);
    const link = event.target.closest?.("a");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const { pop, sign, to, copyLink: copied, shut, reply } = link.dataset;
    if (reply !== undefined && box?.contains(link)) box.hidePopover();
    if (pop === undefined && sign === undefined && copied === undefined && to === undefined && !(shut !== undefined && box?.contains(link))) return;
    if (to !== undefined && !show(to)) return;
    event.preventDefault();
    if (pop !== undefined) open(link);
    if (sign !== undefined) press(link);
    if (copied !== undefined) copy(link.href, link);
    if (shut !== undefined) box.hidePopover();
  });
  addEventListener("keydown", (event) => {
    if (event.key !== " " || !event.target.matches?.("a[data-sign][role=button]")) return;
    event.preventDefault();
    event.target.click();
  });
  // A menu goes through its entries with the arrows, too.
  addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step || !box?.matches(".over--menu:popover-open") || !box.contains(event.target)) return;
    const all = $$("a, button, summary", box).filter((el) => el.offsetParent), at = all.indexOf(event.target);
    event.preventDefault();
    all[(at + step + all.length) % all.length].focus();
  });

  const arrive = () => location.hash.startsWith("#message-") && show(location.hash.slice(1));
  addEventListener("hashchange", arrive);
  document.addEventListener("htmx:afterSettle", look);
  const low = $$(".talk").filter((el) => el.scrollHeight - el.scrollTop - el.clientHeight < 8);
  look();
  if (!arrive()) low.forEach((el) => (el.scrollTop = el.scrollHeight));
})();
