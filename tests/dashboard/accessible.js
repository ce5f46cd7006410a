// Looks at the page as somebody does who cannot see it, sees little, or has no mouse, and gives what
// is wrong: [{rule, where, mark, why}]. The rules are those of WCAG 2.2 AA that a machine can tell; the
// number in a reason is the criterion. Nothing of the page is changed.
() => {
  "use strict";
  const found = [];
  const wrong = (rule, element, why) => found.push({ rule, where: pathOf(element), mark: markOf(element), why });

  // --- what is there ---------------------------------------------------------------------------

  const all = (selector) => [...document.querySelectorAll(selector)];
  const CONTROL =
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex='-1']), " +
    "[role=button], [role=checkbox], [role=combobox], [role=link], [role=listbox], [role=menuitem], " +
    "[role=option], [role=radio], [role=slider], [role=spinbutton], [role=switch], [role=tab], " +
    "[role=textbox], [contenteditable=true]";
  const ROLES = new Set(
    ("alert alertdialog application article banner button cell checkbox columnheader combobox " +
      "complementary contentinfo definition dialog document feed figure form generic grid gridcell group " +
      "heading img link list listbox listitem log main marquee math menu menubar menuitem " +
      "menuitemcheckbox menuitemradio meter navigation none note option presentation progressbar radio " +
      "radiogroup region row rowgroup rowheader scrollbar search searchbox separator slider spinbutton " +
      "status switch tab table tablist tabpanel term textbox time timer toolbar tooltip tree treegrid " +
      "treeitem").split(" "),
  );
  const ARIA = new Set(
    ("activedescendant atomic autocomplete braillelabel brailleroledescription busy checked colcount " +
      "colindex colindextext colspan controls current describedby description details disabled " +
      "errormessage expanded flowto haspopup hidden invalid keyshortcuts label labelledby level live " +
      "modal multiline multiselectable orientation owns placeholder posinset pressed readonly relevant " +
      "required roledescription rowcount rowindex rowindextext rowspan selected setsize sort valuemax " +
      "valuemin valuenow valuetext").split(" "),
  );
  const NEEDS = {
    checkbox: ["aria-checked"], combobox: ["aria-expanded"], heading: ["aria-level"],
    meter: ["aria-valuenow"], option: ["aria-selected"], radio: ["aria-checked"],
    scrollbar: ["aria-controls", "aria-valuenow"], slider: ["aria-valuenow"], switch: ["aria-checked"],
    tab: ["aria-selected"],
  };
  const INSIDE = {
    listitem: "[role=list], ul, ol, menu", option: "[role=listbox], [role=combobox], [role=group]",
    row: "[role=table], [role=grid], [role=rowgroup], [role=treegrid], table", tab: "[role=tablist]",
    cell: "[role=row], tr", gridcell: "[role=row], tr", menuitem: "[role=menu], [role=menubar]",
  };
  const NAMED_ROLES = "[role=img], [role=meter], [role=progressbar], [role=dialog], [role=region], dialog, meter, progress";

  const markOf = (element) => element?.closest("[data-bad]")?.dataset.bad || "";
  function pathOf(element) {
    if (!element || element === document.documentElement) return "html";
    const classes = typeof element.className === "string" ? element.className.trim().split(/\s+/) : [];
    const own = element.localName + (element.id ? `#${element.id}` : "") +
      classes.filter(Boolean).map((each) => `.${each}`).join("");
    const text = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 30);
    const above = element.parentElement && element.parentElement !== document.body && !element.id;
    const parent = above ? `${element.parentElement.localName} > ` : "";
    return `${parent}${own}${text ? ` "${text}"` : ""}`;
  }

  const rendered = (element) => element.checkVisibility({ visibilityProperty: true });
  const unheard = (element) => !rendered(element) || element.closest('[aria-hidden="true"], [inert]') !== null;
  const area = (element) => element.getBoundingClientRect();
  const seen = (element) => {
    const { width, height } = area(element);
    return rendered(element) && width > 1 && height > 1 && opacityOf(element) > 0;
  };
  const off = (element) => element.matches(":disabled, [aria-disabled=true]") || element.closest("fieldset:disabled");
  const focusable = (element) =>
    rendered(element) && !element.matches(":disabled") && element.tabIndex >= 0 && !element.closest("[inert]");
  const roleOf = (element) => (element.getAttribute("role") || "").trim().split(/\s+/)[0];
  const referred = (element, attribute) =>
    (element.getAttribute(attribute) || "").split(/\s+/).filter(Boolean).map((id) => document.getElementById(id));

  // --- names (a part of the accessible name computation, which is all that this page may need) ---

  const squeezed = (text) => text.replace(/\s+/g, " ").trim();
  function said(node) {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.nodeType !== Node.ELEMENT_NODE || node.getAttribute("aria-hidden") === "true") return "";
    if (!node.checkVisibility({ visibilityProperty: true })) return "";
    const label = node.getAttribute("aria-label");
    if (label && label.trim()) return ` ${label} `;
    if (node.localName === "img") return ` ${node.alt} `;
    if (node.localName === "svg") return ` ${titleOf(node)} `;
    const text = [...node.childNodes].map(said).join("");
    return getComputedStyle(node).display === "inline" ? text : ` ${text} `;
  }
  const titleOf = (svg) => svg.querySelector(":scope > title")?.textContent || "";
  function nameOf(element) {
    const by = referred(element, "aria-labelledby").filter(Boolean);
    if (by.length) return squeezed(by.map((each) => each.getAttribute("aria-label") || each.textContent).join(" "));
    const label = squeezed(element.getAttribute("aria-label") || "");
    if (label) return label;
    if (element.labels && element.labels.length) return squeezed([...element.labels].map(said).join(" "));
    if (element.matches("input[type=submit], input[type=button], input[type=reset]")) return squeezed(element.value);
    if (element.localName === "img") return squeezed(element.alt);
    if (element.localName === "svg") return squeezed(titleOf(element));
    if (element.localName === "table") return squeezed(element.caption ? said(element.caption) : "");
    const unnamed = "input, select, textarea, dialog, meter, progress, section, nav, aside, form, header, footer, main, " +
      "[role=dialog], [role=region], [role=group], [role=meter], [role=progressbar], [role=img], [role=navigation]";
    const text = element.matches(unnamed) ? "" : squeezed([...element.childNodes].map(said).join(""));
    return text || squeezed(element.getAttribute("title") || "");
  }

  // --- colours -----------------------------------------------------------------------------------

  const brush = Object.assign(document.createElement("canvas"), { width: 1, height: 1 })
    .getContext("2d", { willReadFrequently: true });
  const known = new Map();
  function rgba(css) {
    if (!known.has(css)) {
      brush.clearRect(0, 0, 1, 1);
      brush.fillStyle = css;
      brush.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
      known.set(css, [r, g, b, a / 255]);
    }
    return known.get(css);
  }
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const canvasColour = getComputedStyle(document.documentElement).colorScheme.includes("dark") && dark ? [18, 18, 18, 1] : [255, 255, 255, 1];
  function opacityOf(element) {
    let alpha = 1;
    for (let at = element; at; at = at.parentElement) alpha *= Number(getComputedStyle(at).opacity);
    return alpha;
  }
  // What is behind an element, itself included; null: an image, of which nothing can be told.
  function behind(element) {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null;
      const colour = rgba(style.backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), canvasColour);
  }
  function luminance(colour) {
    const [r, g, b] = colour.slice(0, 3).map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function contrast(one, other) {
    const [light, deep] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (deep + 0.05);
  }
  const faded = (colour, alpha) => [...colour.slice(0, 3), colour[3] * alpha];
  const rounded = (ratio) => Math.floor(ratio * 100) / 100;

  // --- the rules -----------------------------------------------------------------------------------

  function page() {
    if (!(document.documentElement.lang || "").trim()) wrong("lang", document.documentElement, "3.1.1: the page says no language");
    if (!document.title.trim()) wrong("title", document.documentElement, "2.4.2: the page has no title");
    const view = document.querySelector("meta[name=viewport]")?.content || "";
    if (/user-scalable\s*=\s*(no|0)/.test(view) || /maximum-scale\s*=\s*(0|1)(\.|,|$)/.test(view.replace(/\s/g, ""))) {
      wrong("zoom", document.querySelector("meta[name=viewport]"), "1.4.4: it cannot be enlarged");
    }
    const root = document.scrollingElement;
    if (root.scrollWidth > root.clientWidth) {
      wrong("reflow", document.documentElement, `1.4.10: it is ${root.scrollWidth} wide in ${root.clientWidth}`);
    }
    if (!all("[aria-live=polite], [role=status], [role=log], output").length) {
      wrong("live", document.documentElement, "4.1.3: nothing tells what changes");
    }
  }

  function ids() {
    const before = new Set();
    for (const element of all("[id]")) {
      if (before.has(element.id)) wrong("id", element, `the id ${element.id} is there twice`);
      before.add(element.id);
    }
  }

  function names() {
    for (const element of all(CONTROL)) {
      if (unheard(element)) continue;
      const name = nameOf(element);
      if (!name) wrong("name", element, "4.1.2: a control without a name");
      const label = element.getAttribute("aria-label");
      const shown = label && element.matches("a, button, [role=button], [role=tab]") ? squeezed(element.innerText || "") : "";
      if (shown && /\p{L}/u.test(shown) && !name.toLowerCase().includes(shown.toLowerCase())) {
        wrong("label", element, `2.5.3: it shows ${shown}, its name is ${name}`);
      }
    }
    for (const element of all(`img, svg, ${NAMED_ROLES}`)) {
      if (unheard(element) || element.parentElement.closest("svg") || element.matches(CONTROL)) continue;
      const decorative = element.matches('img[alt=""], [role=none], [role=presentation]');
      if (!decorative && !nameOf(element)) wrong("picture", element, "1.1.1: it has no name");
      if (element.localName === "svg" && !decorative && roleOf(element) !== "img") {
        wrong("picture", element, "1.1.1: a drawing that is neither hidden nor role=img");
      }
    }
  }

  function roles() {
    for (const element of all("[role]")) {
      const role = roleOf(element);
      if (!ROLES.has(role)) wrong("role", element, `4.1.2: there is no role ${role}`);
      for (const attribute of NEEDS[role] || []) {
        const native = element.matches("input[type=checkbox], input[type=radio], h1, h2, h3, h4, h5, h6");
        if (!element.hasAttribute(attribute) && !native) wrong("role", element, `4.1.2: ${role} needs ${attribute}`);
      }
      if (INSIDE[role] && !element.parentElement.closest(INSIDE[role])) wrong("role", element, `1.3.1: ${role} stands alone`);
    }
    for (const element of all("*")) {
      for (const { name } of element.attributes) {
        if (name.startsWith("aria-") && !ARIA.has(name.slice(5))) wrong("aria", element, `4.1.2: there is no ${name}`);
      }
      for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls", "aria-owns", "aria-errormessage"]) {
        if (referred(element, attribute).includes(null)) wrong("reference", element, `${attribute} leads nowhere`);
      }
    }
    for (const label of all("label[for]")) {
      if (!document.getElementById(label.htmlFor)) wrong("reference", label, "for leads nowhere");
    }
    for (const part of all("li")) if (!part.parentElement.matches("ul, ol, menu, [role=list]")) wrong("list", part, "1.3.1: outside of a list");
    for (const part of all("dt, dd")) if (!part.closest("dl")) wrong("list", part, "1.3.1: outside of a list");
  }

  function tables() {
    for (const table of all("table")) {
      if (unheard(table) || ["none", "presentation"].includes(roleOf(table))) continue;
      if (!nameOf(table)) wrong("table", table, "1.3.1: a table without a name");
      if (!table.querySelector("th")) wrong("table", table, "1.3.1: a table without headers");
      for (const head of table.querySelectorAll("th")) {
        if (!head.scope && !head.closest("thead")) wrong("table", head, "1.3.1: a header of what?");
        if (!squeezed(said(head)) && rendered(head)) wrong("table", head, "1.3.1: an empty header");
      }
    }
  }

  function headings() {
    const heads = all("h1, h2, h3, h4, h5, h6, [role=heading]").filter((each) => !unheard(each));
    const open = all("dialog:modal")[0];
    const levels = heads
      .filter((each) => !open || !open.contains(each))
      .map((each) => [each, Number(each.getAttribute("aria-level") || each.localName.slice(1))]);
    const first = levels.filter(([, level]) => level === 1);
    if (!open && first.length !== 1) wrong("heading", first[1]?.[0] || document.body, `1.3.1: ${first.length} headings of level 1`);
    let before = 0;
    for (const [element, level] of levels) {
      if (before && level > before + 1) wrong("heading", element, `1.3.1: level ${level} after ${before}`);
      if (!squeezed(said(element))) wrong("heading", element, "2.4.6: an empty heading");
      before = level;
    }
  }

  const LANDMARK = "main, nav, aside, header, footer, dialog, search, form[aria-label], form[aria-labelledby], section[aria-label], " +
    "section[aria-labelledby], [role=main], [role=navigation], [role=complementary], [role=banner], [role=contentinfo], " +
    "[role=region], [role=search], [role=dialog], [role=alertdialog], [role=alert], [role=status], [aria-live]";
  function landmarks() {
    const mains = all("main, [role=main]").filter((each) => !unheard(each));
    const open = document.querySelector("dialog:modal") !== null;
    if (mains.length !== 1 && !(open && !mains.length)) wrong("landmark", mains[1] || document.body, `1.3.1: ${mains.length} main`);
    for (const kind of ["nav, [role=navigation]", "aside, [role=complementary]", "section[aria-label], section[aria-labelledby], [role=region]"]) {
      const alike = all(kind).filter((each) => !unheard(each));
      const taken = new Set();
      for (const each of alike) {
        const name = nameOf(each);
        if (alike.length > 1 && (!name || taken.has(name))) wrong("landmark", each, `1.3.1: another one is named ${name || "nothing"} as well`);
        taken.add(name);
      }
    }
    for (const text of texts()) {
      if (unheard(text) || text.closest(LANDMARK)) continue;
      if (text.matches("a[href^='#']")) continue; // the way past all that repeats
      wrong("outside", text, "1.3.1: in no landmark");
    }
  }

  // Every element that has text of its own.
  let written = null;
  function texts() {
    written ??= all("body *").filter((element) =>
      !element.matches("script, style, noscript, template, title, desc, option") &&
      [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
    return written;
  }

  function contrasts() {
    for (const element of texts()) {
      if (!seen(element) || off(element) || element.closest(":disabled")) continue;
      const style = getComputedStyle(element);
      const ink = element.closest("svg") ? style.fill : style.color;
      judged(element, ink, style, "text");
    }
    for (const element of all("input[placeholder], textarea[placeholder]")) {
      if (seen(element) && !off(element)) judged(element, getComputedStyle(element, "::placeholder").color, getComputedStyle(element), "placeholder");
    }
  }
  function judged(element, ink, style, what) {
    const ground = behind(element);
    if (!ground) return wrong("contrast", element, `1.4.3: ${what} on an image`);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = contrast(over(faded(rgba(ink), opacityOf(element)), ground), ground);
    if (ratio < (large ? 3 : 4.5)) wrong("contrast", element, `1.4.3: ${what} ${rounded(ratio)}:1`);
  }

  function shapes() {
    for (const svg of all("svg")) {
      const drawn = [...svg.querySelectorAll("path, polyline, polygon, line, rect, circle, ellipse, text")];
      if (!seen(svg) || !drawn.length || svg.closest(":disabled")) continue;
      const ground = behind(svg) || canvasColour;
      const best = Math.max(...drawn.flatMap((each) => {
        const style = getComputedStyle(each);
        const alpha = opacityOf(each);
        return [[style.stroke, style.strokeOpacity], [style.fill, style.fillOpacity]]
          .filter(([ink]) => ink !== "none" && !ink.startsWith("url"))
          .map(([ink, part]) => contrast(over(faded(rgba(ink), alpha * Number(part)), ground), ground));
      }), 0);
      if (best < 3) wrong("shape", svg, `1.4.11: nothing in it has more than ${rounded(best)}:1`);
    }
    for (const field of all("input:not([type=hidden], [type=checkbox], [type=radio], [type=range], [type=submit]), select, textarea")) {
      if (!seen(field) || off(field)) continue;
      const style = getComputedStyle(field);
      const around = behind(field.parentElement) || canvasColour;
      const edge = parseFloat(style.borderBottomWidth) > 0 ? contrast(over(rgba(style.borderBottomColor), around), around) : 1;
      const inner = contrast(behind(field) || around, around);
      if (Math.max(edge, inner) < 3) wrong("shape", field, `1.4.11: its edge has ${rounded(edge)}:1`);
    }
  }

  function keys() {
    for (const element of all(CONTROL)) {
      if (Number(element.getAttribute("tabindex")) > 0) wrong("tabindex", element, "2.4.3: a place of its own in the order");
      if (element.closest('[aria-hidden="true"]') && focusable(element)) wrong("hidden", element, "4.1.2: reached, and not told of");
      const holder = element.parentElement.closest("a[href], button, [role=button], [role=tab], summary, select");
      if (holder && !element.matches("option")) wrong("nested", element, "4.1.2: a control in a control");
    }
    for (const element of all("[onclick]")) if (!element.matches(CONTROL)) wrong("mouse", element, "2.1.1: for a mouse only");
    for (const element of all("body *")) {
      const style = getComputedStyle(element);
      const scrolls = /auto|scroll/.test(style.overflowX + style.overflowY) && rendered(element) &&
        (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1);
      if (scrolls && !focusable(element) && ![...element.querySelectorAll(CONTROL)].some(focusable)) {
        wrong("scroll", element, "2.1.1: no key scrolls it");
      }
    }
  }

  const SIDE = 24;
  function targets() {
    const open = document.querySelector("dialog:modal");
    const there = all(CONTROL).filter((each) =>
      seen(each) && !cut(each) && !off(each) && (!open || open.contains(each)) && !each.matches("[tabindex='-1'], option") && !isRegion(each));
    const places = there.map((each) => [each, area(each.labels && each.matches("[type=checkbox], [type=radio]") && each.labels[0] || each)]);
    const small = ({ width, height }) => width < SIDE - 0.5 || height < SIDE - 0.5;
    for (const [element, place] of places) {
      if (!small(place) || inSentence(element)) continue;
      const [x, y] = [place.x + place.width / 2, place.y + place.height / 2];
      const near = places.find(([other, its]) => !element.contains(other) && !other.contains(element) &&
        (distance(x, y, its) < SIDE / 2 || (small(its) && Math.hypot(its.x + its.width / 2 - x, its.y + its.height / 2 - y) < SIDE)));
      if (near) wrong("target", element, `2.5.8: ${Math.round(place.width)} x ${Math.round(place.height)}, close to ${pathOf(near[0])}`);
    }
  }
  // Scrolled out of what holds it: nobody can point at it there.
  function cut(element) {
    const { x, y, width, height } = area(element);
    const [across, down] = [x + width / 2, y + height / 2];
    for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const { left, right, top, bottom } = area(at);
      if (across < left || across > right || down < top || down > bottom) return true;
    }
    return false;
  }
  // A region that can be scrolled with keys takes the focus, and is no target.
  const isRegion = (element) => element.matches("[tabindex='0']") && !element.matches("a, button, input, select, textarea, summary") &&
    (!roleOf(element) || ["region", "group", "log", "tabpanel", "feed"].includes(roleOf(element)));
  function inSentence(element) {
    const around = element.parentElement;
    const others = [...around.childNodes].some((node) => node !== element && node.nodeType === Node.TEXT_NODE && /\p{L}/u.test(node.data));
    return getComputedStyle(element).display.startsWith("inline") && others;
  }
  function distance(x, y, { left, right, top, bottom }) {
    return Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom));
  }

  for (const rule of [page, ids, names, roles, tables, headings, landmarks, contrasts, shapes, keys, targets]) rule();
  return found;
}
