/* Run views: switching, and moving cards. Without this file every view is a page of its own. */
(() => {
  "use strict";
  const { $, $$ } = window.claw, on = addEventListener;
  const root = () => $(".runview"), here = () => root().getAttribute("hx-get");
  const near = (event, selector) => event.target.closest?.(selector);
  const typed = () => document.activeElement.matches("input, select");
  const tell = (text) => ($("#view-says").textContent = text);
  const renew = () => root()?.dispatchEvent(new Event("reload"));
  const ask = (verb, href, more) => htmx.ajax(verb, href, more).catch(() => {});

  // The root is loaded anew, and the address says what it shows.
  async function turn(href, source, push) {
    const before = here(), at = document.activeElement, leaves = root().contains(at) && !typed();
    if (push) address();
    await ask("GET", href, { source, target: root(), headers: { "View-Chosen": "1" } });
    if (leaves) (document.getElementById(at.id) || $(".listsum") || $(".viewswitch [aria-current]")).focus({ preventScroll: true });
    if (push !== null) address(push && here() !== before);
    document.title = document.title.replace(/^[^·]* · (?=.+ · )/, `${root().ariaLabel} · `);
  }
  const address = (push) => history[push ? "pushState" : "replaceState"]({}, "", here());
  on("popstate", () => {
    const to = location.pathname + location.search;
    if (root() && to.includes("/view/") && here() !== to) turn(to, root(), null);
  });

  // Nothing moves under a card on its way; an answer about another view comes too late.
  let card, ghost, start, over = "", late, lifted = 0, asked;
  const chosen = ({ requestConfig }) => requestConfig.headers["View-Chosen"];
  const reloads = ({ elt, requestConfig }) => elt === root() && requestConfig.triggeringEvent?.type === "reload";
  on("htmx:beforeRequest", (event) => {
    if (card && reloads(event.detail)) { late = true; event.preventDefault(); }
    else if (chosen(event.detail)) asked = event.detail.xhr;
  });
  on("htmx:beforeSwap", ({ detail }) => {
    // Of what was asked for the last counts, whichever answer comes last.
    if (chosen(detail) && detail.xhr !== asked) return void (detail.shouldSwap = false);
    if (chosen(detail) && !typed()) document.activeElement.blur();
    if (!reloads(detail) || !(card || detail.requestConfig.path !== here())) return;
    detail.shouldSwap = false;
    if (card) late = true;
    else renew();
  });

  const stages = () => $$(".stage"), words = () => $(".stages").dataset;
  const rule = (column) => column && column !== home() && $(`#rules-${card.dataset.stand} [data-to="${column}"]`);
  const home = () => card.closest(".stage").dataset.column;
  function take(el) {
    card = el;
    card.classList.add("is-taken");
    over = home();
    for (const stage of stages()) {
      const said = rule(stage.dataset.column), why = $(".stage__why", stage);
      stage.dataset.drop = !said ? "own" : said.dataset.how ? "yes" : "no";
      why.textContent = said ? said.textContent : "";
      why.hidden = !said;
    }
  }
  function point(column) {
    over = column;
    $$("[data-column]").forEach((el) => el.classList.toggle("is-over", el.dataset.column === column));
  }
  function leave() {
    point("");
    ghost?.remove();
    for (const stage of stages()) { delete stage.dataset.drop; $(".stage__why", stage).hidden = true; }
    card?.classList.remove("is-taken");
    $("[aria-pressed=true]")?.setAttribute("aria-pressed", "false");
    document.body.classList.remove("is-dragging");
    card = ghost = start = null;
    if (late) renew();
    late = 0;
  }
  const saying = (said) => (said ? `${said.dataset.how ? "" : `${words().not} `}${said.textContent}` : words().left);
  function drop() {
    const el = card, column = over, said = rule(column), { how, post, place } = said ? said.dataset : {};
    tell(saying(said));
    leave();
    if (how === "now") put(el, column, el.dataset.at + post);
    if (how === "asks") menu(`${el.dataset.at}moves/?to=${column}`, el);
    if (how === "opens") location.href = `${el.dataset.at}#${place}-${el.id.slice(3)}`;
  }
  // What is refused comes back with the next look.
  async function put(el, column, href) {
    const focus = document.activeElement, values = { epoch: el.dataset.epoch, operation: `${Math.random()}` };
    el.classList.add("is-going");
    $(`#stage-cards-${column}`).prepend(el);
    if (el.contains(focus)) focus.focus({ preventScroll: true });
    await ask("POST", href, { source: el, target: el, swap: "none", values });
    el.classList.remove("is-going");
    renew();
  }

  // A mouse takes it anywhere, a finger at its grip.
  on("pointerdown", (event) => {
    const el = near(event, "[data-card]");
    if (!el || event.button || !$("[data-grip]", el) || !(event.pointerType === "mouse" || near(event, "[data-grip]"))) return;
    start = { el, x: event.clientX, y: event.clientY };
  });
  on("pointermove", ({ clientX, clientY }) => {
    const x = clientX - start?.x, y = clientY - start?.y;
    if (!start || (!ghost && Math.hypot(x, y) < 6)) return;
    if (!ghost) lift();
    ghost.style.translate = `${x}px ${y}px`;
    point(document.elementFromPoint(clientX, clientY)?.closest("[data-column]")?.dataset.column);
    $(".stages").scrollLeft += clientX > innerWidth - 50 ? 16 : clientX < 50 ? -16 : 0;
  });
  function lift() {
    const { left, top, width } = start.el.getBoundingClientRect();
    take(start.el);
    ghost = card.cloneNode(true);
    for (const el of [ghost, ...$$("[id]", ghost)]) el.removeAttribute("id");
    ghost.classList.add("tcard--ghost");
    ghost.style.cssText = `left:${left}px;top:${top}px;width:${width}px`;
    document.body.append(ghost);
    document.body.classList.add("is-dragging");
    getSelection().removeAllRanges();
  }
  on("pointerup", () => {
    start = null;
    if (!ghost) return;
    lifted = Date.now();
    drop();
  });
  on("click", (event) => Date.now() - lifted < 50 && event.preventDefault(), true);
  on("pointercancel", () => { start = null; if (ghost) leave(); });

  on("keydown", (event) => {
    const { key } = event, grip = near(event, "[data-grip]"), step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
    if (card && key === "Escape") { tell(words().left); leave(); }
    else if (!grip || ghost) return;
    else if (card && (key === " " || key === "Enter")) drop();
    else if (key === " ") {
      take(near(event, "[data-card]"));
      grip.ariaPressed = "true";
      tell(words().taken);
    } else if (card && step) {
      const all = stages(), next = all[all.findIndex((stage) => stage.dataset.column === over) + step];
      if (next) {
        point(next.dataset.column);
        next.scrollIntoView({ inline: "nearest", block: "nearest" });
        tell(`${$(".stage__word", next).textContent}. ${rule(over) ? saying(rule(over)) : ""}`);
      }
    } else return;
    event.preventDefault();
  });
  on("keyup", (event) => event.key === " " && near(event, "[data-grip]") && event.preventDefault());
  on("focusout", (event) => near(event, "[data-grip]") && setTimeout(() => card && !ghost && leave()));

  async function menu(href, source) {
    await ask("GET", href, { source, target: "#moves-body" });
    if (!$("#moves-h")) return;
    $("#moves").togglePopover(true);
    $("#moves-h").focus();
  }
  on("htmx:afterRequest", ({ detail: { elt, requestConfig } }) => {
    if (elt.id === "list-filters") {
      for (const el of elt) [el.defaultValue, el.defaultChecked] = [el.value, el.checked];
      address();
    }
    if (elt.closest?.("#moves") && requestConfig.verb === "post") renew();
  });

  on("click", (event) => {
    const el = near(event, "a, button");
    if (!el || !root() || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
    const moves = el.matches("[data-grip]") ? $("[data-moves]", el.parentNode) : el.closest("[data-moves]");
    const { view, turn: where } = root().contains(el) && !$(".editor") ? el.dataset : {};
    if (el.matches("[data-shut-moves]")) $("#moves").hidePopover();
    if (moves) menu(moves.href, el);
    if ("clear" in el.dataset) for (const one of $("#list-filters")) { one.checked = false; if (one.matches("select, [type=search]")) one.value = ""; }
    if (view || where !== undefined) turn(el.href, el, !!view).then(() => where && root().scrollIntoView());
    if (moves || view || where !== undefined) event.preventDefault();
  });
})();
