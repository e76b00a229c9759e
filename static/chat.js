/* The composer: names, replies, and what a message does. Without this file messages are sent by their form. */
(() => {
  "use strict";
  const claw = window.claw, { $, $$, say } = claw;
  const FORM = "[data-compose]", MOST = 8;
  const field = (form) => $("textarea", form);
  const put = (form, text, at = text.length) => {
    const el = field(form);
    el.value = text;
    el.setSelectionRange(at, at);
    el.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const token = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  const post = claw.post = (url, said) => fetch(url, { method: "POST", headers: { "X-CSRFToken": token() }, body: new URLSearchParams(said) });

  // Replies.
  function answer(form, id = "", name = "") {
    form.elements.reply_to.value = id;
    $(".reply b", form).textContent = name;
    $(".reply", form).hidden = !id;
  }
  addEventListener("click", (event) => {
    const button = event.target.closest?.("button, a"), form = $(FORM);
    if (!button || !form || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (button.dataset.reply) {
      event.preventDefault();
      if (!form.offsetParent) $("#mode-say")?.click();
      answer(form, button.dataset.reply, button.dataset.replyName);
      field(form).focus();
    }
    if (button.matches("[data-unreply]")) { answer(form); field(form).focus(); }
    if (button.matches("[data-as-goal]")) {
      put(form, field(form).value.replace(/(^|\s)@coordinator\b[,:]?\s*/i, "$1"));
      $("#mode-goal").click();
      $("#goal-form textarea").focus();
    }
  });

  addEventListener("htmx:afterRequest", ({ detail: { elt, successful, xhr } }) => {
    if (!elt.matches?.(FORM) || !successful || xhr.status >= 400) return;
    answer(elt);
    preview(elt);
  });

  // Names: whoever fits the word after an @.
  let names = [], asked = 0, chosen = 0, dismissed = -1;
  async function learn(form) {
    if (Date.now() - asked < 30000) return;
    asked = Date.now();
    const answer = await fetch(form.dataset.handles).catch(() => null);
    if (!answer?.ok) return void (asked = 0);
    names = [...Object.assign(document.createElement("template"), { innerHTML: await answer.text() }).content.children];
    complete(form);
  }
  function wanted(el) {
    const before = el.value.slice(0, el.selectionStart), found = /(?:^|[^\w@/])@([\w.-]*)$/.exec(before);
    return found && el.selectionStart === el.selectionEnd && { word: found[1].toLowerCase(), at: before.length - found[1].length };
  }
  const rank = (option, word) => {
    const { handle, find } = option.dataset, at = handle.toLowerCase().startsWith(word) ? 0 : find.split(/[\s_-]/).some((part) => part.startsWith(word)) ? 1 : find.includes(word) ? 2 : 9;
    return at * 2 + !option.hasAttribute("data-near");
  };
  function complete(form) {
    const el = field(form), word = wanted(el), list = $(".names", form);
    if (!word || dismissed === word.at || el !== document.activeElement) return close(form);
    learn(form);
    const fit = names.map((option) => [rank(option, word.word), option]).filter(([at]) => at < 18).sort(([a], [b]) => a - b).slice(0, MOST).map(([, option]) => option);
    if (!fit.length) return close(form);
    chosen = 0;
    fit.forEach((option, n) => (option.id = `name-${n}`));
    list.replaceChildren(...fit);
    if (list.hidden) say(`${fit.length} ${list.dataset.fit}`);
    list.hidden = false;
    Object.entries({ role: "combobox", "aria-expanded": "true", "aria-controls": list.id }).forEach((pair) => el.setAttribute(...pair));
    claw.people?.();
    mark(form, 0);
  }
  function mark(form, to) {
    const options = $$("[role=option]", $(".names", form));
    chosen = (to + options.length) % options.length;
    options.forEach((option, n) => option.setAttribute("aria-selected", n === chosen));
    options[chosen].scrollIntoView({ block: "nearest" });
    field(form).setAttribute("aria-activedescendant", options[chosen].id);
  }
  function close(form) {
    const el = field(form);
    $(".names", form).hidden = true;
    ["role", "aria-expanded", "aria-controls", "aria-activedescendant"].forEach((name) => el.removeAttribute(name));
    preview(form);
  }
  function take(form, option) {
    const el = field(form), { at } = wanted(el), rest = el.value.slice(el.selectionStart), head = `${el.value.slice(0, at)}${option.dataset.handle} `;
    close(form);
    put(form, head + rest.replace(/^ /, ""), head.length);
    el.focus();
  }
  // Before Enter sends.
  addEventListener("keydown", (event) => {
    const form = event.target.closest?.(FORM), list = form && $(".names", form);
    if (!list || list.hidden || event.isComposing || event.target !== field(form)) return;
    const moves = { ArrowDown: chosen + 1, ArrowUp: chosen - 1 };
    if (event.key in moves) mark(form, moves[event.key]);
    else if (["Enter", "Tab"].includes(event.key) && !event.shiftKey && !event.ctrlKey && !event.metaKey) take(form, $$("[role=option]", list)[chosen]);
    else if (event.key === "Escape") { dismissed = wanted(event.target)?.at; close(form); }
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
  addEventListener("pointerdown", (event) => {
    const option = event.target.closest?.(".names [role=option]");
    if (!option) return;
    event.preventDefault();
    take(option.closest(FORM), option);
  });
  addEventListener("focusout", ({ target }) => target.matches?.(`${FORM} textarea`) && close(target.form));

  // What a message would do: the server says it, whenever other names stand in it.
  const known = new WeakMap();
  let previewing;
  addEventListener("claw:here", () => $$(FORM).forEach((form) => { known.delete(form); preview(form); }));
  function preview(form) {
    clearTimeout(previewing);
    previewing = setTimeout(async () => {
      // A name that is still being chosen does not count yet.
      const el = field(form), word = !$(".names", form).hidden && wanted(el);
      const text = word ? el.value.slice(0, word.at - 1) + el.value.slice(el.selectionStart) : el.value, said = `${!text.trim()} ${(text.match(/@[\w.-]+|`+/g) || []).join(" ")}`;
      if (known.get(form) === said) return;
      known.set(form, said);
      const answer = text.trim() ? await post(form.dataset.wake, { body: text, task: form.dataset.task || "" }).catch(() => null) : { ok: true, text: () => "" };
      if (!answer?.ok) return known.delete(form);
      const html = await answer.text();
      if (known.get(form) === said) $(".wake", form).innerHTML = html;
      $$("[data-as-goal]", form).forEach((el) => (el.hidden = !$("#mode-goal")));
    }, 200);
  }

  // Typing: said seldom.
  let told = 0;
  addEventListener("input", ({ target }) => {
    const form = target.closest?.(FORM);
    if (!form || target !== field(form)) return;
    if (wanted(target)?.at !== dismissed) dismissed = -1;
    grow(target);
    complete(form);
    preview(form);
    if (!target.value.trim() || Date.now() - told < 3000) return;
    told = Date.now();
    claw.send?.({ type: "typing", workspace: form.dataset.workspace, task: form.dataset.task });
  });
  const grow = (el) => CSS.supports("field-sizing", "content") || (el.style.height = "auto", el.style.height = `${el.scrollHeight + 2}px`);
})();
