// Notes where the focus comes to, and whether it shows there. `stop` is null where it was before, or
// has left the page; `missed` is what never had it.
() => {
  "use strict";
  const visited = new Set();
  const named = (element) => {
    const text = element.getAttribute("aria-label") || element.textContent.trim() || element.id || element.name || "";
    return `${element.localName} "${text.replace(/\s+/g, " ").slice(0, 40)}"`;
  };
  const shows = (element) => {
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    return inside && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  };
  const reachable = (element) =>
    element.checkVisibility({ visibilityProperty: true }) && element.tabIndex >= 0 &&
    !element.matches(":disabled") && !element.closest("[inert]") && !inGroup(element);
  // Of radio buttons and of what moves its own focus (tabs, menus) Tab reaches one.
  const inGroup = (element) => element.matches("[type=radio]") &&
    [...document.getElementsByName(element.name)].some((each) => visited.has(each));
  window.walk = {
    stop() {
      const at = document.activeElement;
      if (!at || at === document.body || visited.has(at)) return null;
      visited.add(at);
      return { where: named(at), shows: shows(at) };
    },
    missed() {
      const open = document.querySelector("dialog:modal") || document;
      const all = open.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]");
      return [...all].filter((each) => reachable(each) && !visited.has(each)).map(named);
    },
  };
  // From the top: where the focus was last is where the next step would begin.
  const top = document.querySelector("dialog:modal") || document.body;
  top.tabIndex = -1;
  top.focus({ preventScroll: true });
  top.removeAttribute("tabindex");
}
