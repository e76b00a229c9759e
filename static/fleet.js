/* The fleet: filters without a reload, moving about by arrow keys, one agent looked at closely, cells put where they belong.
   Without this file every cell is a link to its agent's page, and the filters are a form. */
(() => {
  "use strict";
  const { $, $$ } = window.claw;
  const REST = 15000; // milliseconds between two times that cells move by themselves
  const root = () => $("[data-fleet]");
  const url = (query) => root().dataset.fleet + (String(query) && `?${query}`);

  // What is asked for stands in the form; what is looked at, beside it. The address says both.
  function query() {
    const said = new URLSearchParams(new FormData($(".fleet__ask", root())));
    [...said].forEach(([key, value]) => (!value || (key === "by" && value === "state")) && said.delete(key));
    return said;
  }
  const looked = () => $(".zoom", root())?.id.slice(5) || "";
  function keep() {
    const said = query();
    if (looked()) said.set("agent", looked());
    history.replaceState(history.state, "", url(said));
  }
  let asking = 0;
  function ask() {
    clearTimeout(asking);
    asking = setTimeout(async () => {
      const said = query(), view = root().closest(".runview");
      if (looked()) said.set("agent", looked());
      await htmx.ajax("GET", url(said), { source: view, target: view, swap: "merge" });
      keep();
    }, 150);
  }
  addEventListener("input", ({ target }) => target.closest?.(".fleet__ask") && ask());
  addEventListener("submit", (event) => event.target.matches(".fleet__ask") && (event.preventDefault(), ask()), true);

  // One agent, looked at closely; and back to the cell that one came from.
  const side = () => $("#fleet-side");
  async function zoom(cell) {
    const link = $("a", cell), place = Object.assign(document.createElement("section"), { id: `zoom-${cell.id.slice(5)}` });
    side().replaceChildren(place);
    open(true);
    await htmx.ajax("GET", link.href, { source: place, target: place, swap: "merge" });
    if (!looked()) return void (location.href = link.href);
    mark();
    keep();
    focus($("h2", side()));
  }
  function unzoom() {
    const link = chosen();
    side().replaceChildren();
    open(false);
    mark();
    keep();
    if (link) focus(link);
  }
  function open(zoomed) {
    side().hidden = !zoomed;
    root().classList.toggle("fleet--zoomed", zoomed);
  }
  function focus(el) {
    if (el.tabIndex < 0) el.tabIndex = -1;
    el.focus();
  }
  const chosen = () => looked() && $(`#cell-${CSS.escape(looked())} > a`);
  function mark() {
    $$(".cell > a[aria-current]", root()).forEach((link) => link.removeAttribute("aria-current"));
    if (chosen()) chosen().setAttribute("aria-current", "true");
  }

  // Keys: one stop for Tab, arrows between cells as they lie on the page.
  const cells = () => $$(".cell > a", root()).filter((link) => link.offsetParent);
  function rove(link) {
    $$(".cell > a[tabindex='0']", root()).forEach((one) => (one.tabIndex = -1));
    link.tabIndex = 0;
  }
  addEventListener("focusin", ({ target }) => target.matches?.(".cell > a") && rove(target));
  const middle = (box) => box.left + box.width / 2;
  function beside(link, key) {
    const all = cells(), at = all.indexOf(link);
    if (key === "ArrowRight") return all[at + 1];
    if (key === "ArrowLeft") return all[at - 1];
    if (key === "Home") return all[0];
    if (key === "End") return all.at(-1);
    const here = link.getBoundingClientRect(), down = key === "ArrowDown";
    let best, nearest = Infinity;
    for (const one of all) {
      const box = one.getBoundingClientRect(), away = down ? box.top - here.top : here.top - box.top;
      if (away < 4) continue;
      const far = away * 1000 + Math.abs(middle(box) - middle(here));
      if (far < nearest) { nearest = far; best = one; }
    }
    return best;
  }
  addEventListener("keydown", (event) => {
    if (!root() || event.ctrlKey || event.metaKey || event.altKey) return;
    const link = event.target.closest?.(".cell > a");
    if (link && /^(Arrow|Home$|End$)/.test(event.key)) {
      event.preventDefault();
      beside(link, event.key)?.focus();
    }
    if (event.key !== "Escape" || event.defaultPrevented || !looked() || $("[popover]:popover-open")) return;
    if (event.target.closest?.(".fleet__ask")) return;
    event.preventDefault();
    const step = event.target.closest?.("#fleet-side details[open]");
    if (!step) return unzoom();
    step.open = false;
    $("summary", step).focus();
  });
  addEventListener("click", (event) => {
    if (!root() || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const at = (selector) => event.target.closest?.(selector);
    const asked = at("[data-ask]"), does = at(".cell") ? () => zoom(at(".cell")) : asked ? () => wish(asked.dataset.ask)
      : at("[data-unzoom]") ? unzoom : at("[data-arrange]") ? arrange : null;
    if (!does) return;
    event.preventDefault();
    does();
  });
  // The agents that stand like this; chosen a second time, or nothing at all: everybody.
  function wish(state) {
    const { elements } = $(".fleet__ask", root());
    if (!state) for (const name of ["skill", "owner", "q"]) elements[name].value = "";
    elements.state.value = elements.state.value === state ? "" : state;
    ask();
  }

  // How many stand how, and who has moved on from where they were put. Cells stay where they are while somebody is among
  // them, and otherwise move at their ease: what jumps cannot be read.
  let counting = 0, arranged = Date.now();
  function settled() {
    counting ||= setTimeout(() => { counting = 0; if (root()) count(); }, 500);
  }
  function set(el, name, value) {
    if (el.getAttribute(name) !== String(value)) el.setAttribute(name, value);
  }
  function count() {
    // A part of them only: what the server counted stands.
    if (!$(".cells[data-list]", root())) return;
    const all = $$(".cell", root()), number = {};
    all.forEach(({ dataset }) => (number[dataset.state] = (number[dataset.state] || 0) + 1));
    let at = 0;
    set($(".census__bar", root()), "viewBox", `0 0 ${all.length || 1} 1`);
    for (const bar of $$("[data-bar]", root())) {
      const many = number[bar.dataset.bar] || 0, word = $(`[data-counted="${bar.dataset.bar}"]`, root());
      set(bar, "x", at);
      set(bar, "width", many);
      word.hidden = !many;
      if ($("b", word).textContent !== String(many)) $("b", word).textContent = many;
      at += many;
    }
    const moved = strays(), again = $("[data-arrange]", root());
    again.hidden = !moved.length;
    $("span", again).textContent = `${moved.length} ${root().dataset.wordsMoved}`;
    if (moved.length && Date.now() - arranged > REST && !$("[data-cells]:is(:hover, :focus-within)", root())) arrange();
  }
  const parts = () => $$("[data-part-of]", root());
  function strays() {
    if (!parts().length) return [];
    const moved = (part) => $$(".cell", part).filter(({ dataset }) => dataset.state !== part.dataset.partOf);
    return [...parts().flatMap(moved), ...$$(".cells[data-list] > .cell", root())];
  }
  // Some at a time: hundreds may have moved on while somebody was among them.
  const AT_ONCE = 16;
  function arrange() {
    arranged = Date.now();
    move(strays());
  }
  function move(left) {
    const name = (cell) => $(".cell__name", cell).textContent;
    for (const cell of left.splice(0, AT_ONCE)) {
      const list = cell.isConnected && $(`[data-part-of="${cell.dataset.state}"] > .cells`, root());
      if (list) list.insertBefore(cell, [...list.children].find((one) => name(one) > name(cell)) || null);
    }
    if (left.length) return void setTimeout(() => root() && move(left));
    for (const part of parts()) {
      const many = $(".cells", part).childElementCount;
      part.hidden = !many;
      $("[data-number]", part).textContent = many;
    }
    settled();
  }
  new MutationObserver((changes) => {
    if (root() && changes.some(({ target }) => target.closest("[data-cells]"))) settled();
  }).observe($("#page"), { subtree: true, attributes: true, attributeFilter: ["data-state"], childList: true });

  // The server makes every cell a stop of its own, for those who have no arrows to lead them from one to the next.
  function ready() {
    const links = root() ? $$(".cell > a", root()) : [];
    if (!links.length || links.some((link) => link.tabIndex === -1)) return;
    links.forEach((link, at) => (link.tabIndex = at ? -1 : 0));
    mark();
  }
  addEventListener("htmx:afterSettle", ready);
  ready();
})();
