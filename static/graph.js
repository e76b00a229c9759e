/* The drawn plan: it opens where the work is, what hangs together stands out, and it can be pulled about. The timeline tells. */
(() => {
  "use strict";
  const { $, $$, clock } = window.claw, on = addEventListener, seen = new WeakSet();
  let lit = null, pull = null;

  // What comes before and after the task that is looked at.
  function light(node) {
    const box = (node || lit)?.closest(".graph"), links = $$(".glink", box || document);
    lit = node;
    if (!box) return;
    $$(".is-lit", box).forEach((el) => el.classList.remove("is-lit"));
    box.classList.toggle("has-lit", !!node);
    for (const [from, to] of node ? [["from", "to"], ["to", "from"]] : []) {
      const found = new Set([node.dataset.node]), out = new Map();
      for (const link of links) out.set(link.dataset[from], [...(out.get(link.dataset[from]) || []), link]);
      for (const key of found) for (const link of out.get(key) || []) { found.add(link.dataset[to]); link.classList.add("is-lit"); }
      $$(".gnode", box).forEach((el) => found.has(el.dataset.node) && el.classList.add("is-lit"));
    }
  }
  // What a bar of the timeline says, with times in the reader's zone.
  function tell(bar) {
    const out = $("[data-said]"), at = (when) => (when ? clock.format(new Date(when)) : "…");
    if (out) out.textContent = bar ? `${bar.getAttribute("aria-label")} · ${at(bar.dataset.from)} – ${at(bar.dataset.to)}` : "";
  }
  const look = ({ target, type }) => {
    const near = (selector) => target.closest?.(selector) || (type === "pointerover" && document.activeElement.closest(selector));
    const node = near(".gnode") || null;
    if (node !== lit) light(node);
    tell(near(".tbar"));
  };
  on("pointerover", look);
  on("focusin", look);

  // Merged anew: what stood out still does, and what is new begins where the work is.
  function settle() {
    for (const box of $$("[data-graph]")) {
      if (seen.has(box)) continue;
      seen.add(box);
      const svg = $("svg", box), scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      box.scrollTo(box.dataset.x * scale - box.clientWidth / 3, box.dataset.y * scale - box.clientHeight / 3);
    }
    if (lit) light(lit.isConnected ? lit : null);
  }
  on("htmx:afterSwap", settle);
  on("htmx:afterSettle", settle);

  // A group opens in its place; whoever stood on it goes on at what shuts it. A pull is no click.
  on("click", (event) => {
    const group = event.target.closest?.("a[data-open]"), pulled = pull?.far;
    if (pulled) event.stopPropagation();
    if (!pulled && (!group || event.ctrlKey || event.metaKey || event.shiftKey)) return;
    event.preventDefault();
    if (!pulled) open(group.getAttribute("href"), group.dataset.open, group.closest("[data-part]"));
  }, true);
  async function open(href, shut, root) {
    document.activeElement.blur();
    light(null);
    await htmx.ajax("GET", href, { source: root, target: root }).catch(() => {});
    history.replaceState({}, "", root.getAttribute("hx-get"));
    document.getElementById(shut)?.focus({ preventScroll: true });
  }
  on("pointerdown", ({ target, button, pointerType, clientX, clientY }) => {
    const box = target.closest?.(".graph > svg")?.parentNode;
    if (box && !button && pointerType === "mouse") pull = { box, x: clientX + box.scrollLeft, y: clientY + box.scrollTop };
  });
  on("pointermove", ({ clientX, clientY }) => {
    const x = pull?.x - clientX, y = pull?.y - clientY;
    if (!pull || (!pull.far && Math.hypot(x - pull.box.scrollLeft, y - pull.box.scrollTop) < 6)) return;
    pull.far = true;
    pull.box.classList.add("is-pulled");
    pull.box.scrollTo(x, y);
  });
  on("pointerup", () => {
    pull?.box.classList.remove("is-pulled");
    setTimeout(() => (pull = null)); // the click comes first
  });
  on("dragstart", (event) => pull && event.preventDefault());
  settle();
})();
