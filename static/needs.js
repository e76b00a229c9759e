/* The page "Needs you": keys, what is settled stays in sight for a moment, and nothing is answered by accident. Without
   this file every item still has its buttons. */
(() => {
  "use strict";
  const { $, $$, say } = window.claw;
  const page = () => $("#needs-page"), list = () => $("#needs-list");
  const items = () => $$("#needs-list > [data-want]:not(.is-settled)");
  const itemOf = (el) => el?.closest?.("[data-want]");
  const CALM = 400; // milliseconds in which nobody can have seen what has moved
  const STAYS = 5000; // that a settled item stays in sight

  // Where each item was painted last. When the list has moved, what was seen before is kept for a moment: a click that
  // meets another item than the one that was there is not meant for it, and neither is one on an item that has become
  // another question.
  let painted = new Map();
  const before = [];
  const rects = () => new Map(items().map((el) => [el.id, { mark: el.dataset.mark, ...place(el) }]));
  function place(el) {
    const { top, bottom } = el.getBoundingClientRect();
    return { top, bottom };
  }
  const at = (seen, y) => [...seen].find(([, one]) => one.top <= y && y < one.bottom);
  function moved() {
    const now = rects();
    let other = now.size !== painted.size;
    now.forEach((one, id) => {
      const was = painted.get(id);
      other ||= !was || Math.abs(was.top - one.top) > 2 || was.mark !== one.mark;
    });
    if (other) before.push({ until: performance.now() + CALM, seen: painted });
    painted = now;
  }
  function meant(y, el) {
    while (before.length && before[0].until < performance.now()) before.shift();
    return before.every(({ seen }) => {
      const was = at(seen, y);
      return was && was[0] === el.id && was[1].mark === el.dataset.mark;
    });
  }
  const watcher = new MutationObserver(moved);
  const again = () => (painted = rects());
  let soon = 0;
  for (const type of ["scroll", "resize"]) addEventListener(type, () => (soon ||= requestAnimationFrame(() => { soon = 0; again(); })), { passive: true });

  // Both ends of a press count: it may begin on one item and end on another.
  let pressed = true;
  addEventListener("pointerdown", (event) => {
    const el = itemOf(event.target);
    pressed = !el || meant(event.clientY, el);
  }, true);
  addEventListener("click", (event) => {
    const el = itemOf(event.target);
    // A click by a key has no place; it is meant for what has the focus.
    if (!el || !event.detail || !event.target.closest("button, a, summary, label, input")) return;
    if (pressed && meant(event.clientY, el) && !el.matches(".is-settled, .is-sent")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    el.classList.add("is-moved");
    setTimeout(() => el.classList.remove("is-moved"), 900);
    say($("#needs-words").dataset.moved);
  }, true);

  // The item that keys act on: the one with the focus, and no other. Right after it has come there by itself, a key that
  // was meant for the one before does nothing.
  const current = () => itemOf(document.activeElement);
  let arrived = -Infinity;
  function go(el, byItself) {
    if (!el) return;
    el.focus({ preventScroll: true });
    el.scrollIntoView({ block: "nearest" });
    if (byItself) arrived = performance.now();
  }
  function step(by) {
    const all = items(), now = current(), index = all.indexOf(now);
    if (index < 0) {
      // After one that is settled, the next to it; else the first in sight.
      const seen = now ? all.find((el) => by > 0 ? now.compareDocumentPosition(el) & 4 : false) : all.find((el) => place(el).bottom > 80);
      return go(seen || all.at(by > 0 ? 0 : -1));
    }
    if (by > 0 && index === all.length - 1 && $("#needs-more")) return $("#needs-more").click();
    go(all[index + by]);
  }
  const choices = (el) => $$("[data-choice]", el).filter((one) => one.checkVisibility());
  function choice(el, key) {
    const all = choices(el);
    if (key === "a") return all.find((one) => one.dataset.choice === "allow_once");
    if (key === "d") return all.find((one) => one.dataset.choice === "reject_once") || all.find((one) => one.dataset.choice === "reject_always");
    return all[+key - 1];
  }
  function open(el) {
    const fold = $(".want__more", el), field = $("textarea, input:not([type=hidden], [type=checkbox])", el);
    if (fold) fold.open = !fold.open;
    else if (field) field.focus();
    else $("[data-enter-here]", el)?.click();
  }
  // Of two keys after another ("g a": to the agents) the second one is no answer.
  const begins = (key) => $$("[data-key]").some((el) => el.dataset.key.startsWith(`${key} `));
  let begun = -Infinity;
  const singles = () => document.documentElement.dataset.keys !== "off";
  document.addEventListener("keydown", (event) => {
    const { key, target } = event, el = current();
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || $("dialog[open], :popover-open")) return;
    if (key === "Escape" && el && target !== el) return void go(el);
    if (target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select")) return;
    const second = performance.now() - begun < 1500;
    begun = !second && begins(key) ? performance.now() : -Infinity;
    if (second) return;
    const by = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[key];
    if (by && (key.length > 1 ? el && !event.shiftKey : singles())) {
      event.preventDefault();
      return step(by);
    }
    if (!el || el.matches(".is-settled")) return;
    if (key === "Enter" && target === el) {
      event.preventDefault();
      return open(el);
    }
    if (!singles() || event.shiftKey || !/^[ad1-9o]$/.test(key)) return;
    event.preventDefault();
    if (key === "o") return void $("[data-enter-here]", el)?.click();
    if (event.repeat || el.matches(".is-sent") || performance.now() - arrived < CALM) return;
    const chosen = choice(el, key);
    if (!chosen) return;
    chosen.focus({ preventScroll: true });
    chosen.click();
  });
  // Which key presses which button is written on it.
  function hint() {
    for (const el of items()) {
      const all = choices(el), byName = new Map();
      for (const key of ["d", "a"]) byName.set(choice(el, key), key);
      all.forEach((one, index) => {
        if (index > 8 || $("kbd", one)) return;
        const key = byName.get(one) || String(index + 1);
        one.append(Object.assign(document.createElement("kbd"), { textContent: key, ariaHidden: "true" }));
      });
    }
  }

  // What was sent is shown as sent; then the list is asked for anew, which says what became of it.
  addEventListener("htmx:beforeSend", ({ detail }) => {
    if (detail.requestConfig.verb === "post") itemOf(detail.elt)?.classList.add("is-sent");
  });
  addEventListener("htmx:afterRequest", ({ detail }) => {
    const el = detail.requestConfig.verb === "post" && itemOf(detail.elt);
    if (!el) return;
    const bad = !detail.successful || detail.xhr.status >= 400;
    if (bad) el.classList.remove("is-sent");
    if (detail.xhr.status !== 422) page().dispatchEvent(new Event("reload"));
  });

  // What is gone from the list stays for a moment in its place, with how it ended; nobody's eye loses it, and what
  // stands below does not jump under anybody's finger.
  function withSettled(html) {
    const fresh = Object.assign(document.createElement("template"), { innerHTML: html }).content;
    const into = $("#needs-list", fresh);
    if (!into) return html;
    const kept = new Set(items().map((el) => el.id));
    for (const el of list().children) {
      const recent = el.matches(".is-settled") && +el.dataset.until > Date.now();
      if (fresh.getElementById(el.id) || !(recent || kept.has(el.id))) continue;
      const gone = recent ? el.cloneNode(true) : settled(el, fresh);
      const previous = el.previousElementSibling && fresh.getElementById(el.previousElementSibling.id);
      if (previous) previous.after(gone);
      else into.prepend(gone);
    }
    return [...fresh.children].map((one) => one.outerHTML).join("");
  }
  function settled(el, fresh) {
    const gone = el.cloneNode(false), words = $("#needs-words").dataset;
    const said = $(`#needs-settled > [data-of="${el.id}"]`, fresh), line = document.createElement("p");
    gone.className = `want is-settled${said && said.dataset.how !== "decided" ? " is-over" : ""}`;
    gone.dataset.until = Date.now() + STAYS;
    line.append(Object.assign(document.createElement("b"), { textContent: said?.textContent.trim() || words.settled }), ` ${$(".want__head", el)?.textContent.trim() || ""}`);
    gone.append(line);
    return gone;
  }
  const ours = ({ detail }) => detail.target === page();
  let next = null;
  addEventListener("htmx:beforeSwap", (event) => {
    if (!ours(event) || event.detail.xhr.status !== 200) return;
    const el = current(), all = items();
    // Where the focus goes on, should the item that has it be gone.
    next = el ? [el.id, ...all.slice(all.indexOf(el) + 1).map((one) => one.id), ...all.slice(0, Math.max(0, all.indexOf(el))).reverse().map((one) => one.id)] : null;
    event.detail.serverResponse = withSettled(event.detail.serverResponse);
  });
  addEventListener("htmx:afterSwap", (event) => {
    if (!ours(event)) return;
    follow();
    hint();
    clearTimeout(sweeping);
    sweeping = setTimeout(sweep, STAYS + 100);
  });
  function follow() {
    if (!next) return;
    const [was, ...others] = next, there = document.getElementById(was);
    next = null;
    if (there && !there.matches(".is-settled")) return;
    const left = others.map((id) => document.getElementById(id)).find((el) => el && !el.matches(".is-settled"));
    if (left) go(left, true);
    else $("#needs-h").focus({ preventScroll: true });
    const { dataset } = list(), words = $("#needs-words").dataset;
    say(+dataset.count ? `${dataset.count} ${words.left}` : words.empty);
  }
  let sweeping = 0;
  function sweep() {
    // Not while somebody points at the list or stands on one of them: it would move.
    for (const el of $$("#needs-list > .is-settled"))
      if (+el.dataset.until < Date.now() && !el.contains(document.activeElement) && !list().matches(":hover")) el.remove();
    if ($("#needs-list > .is-settled")) sweeping = setTimeout(sweep, 1000);
  }

  // Whatever is put above the list moves it, too.
  watcher.observe($("#page"), { childList: true, subtree: true, attributes: true, attributeFilter: ["open", "class", "data-mark"] });
  // On a narrow page the filters scroll: the one that is on is in sight.
  $$(".facets [aria-current]").forEach((el) => (el.closest("ul").scrollLeft = el.offsetLeft - 16));
  hint();
  again();
})();
