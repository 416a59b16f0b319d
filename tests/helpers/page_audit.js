// What a page owes to people who use a keyboard, a screen reader, little colour or a small screen: each fault in a line.
// The rules are those of axe-core 4.10, with the criterion of WCAG 2.2 in brackets.
(() => {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = (element) => element.checkVisibility() && element.getClientRects().length > 0;
  const what = (element) => element.outerHTML.slice(0, 90);
  const named = (element) => {
    const by = element.getAttribute("aria-labelledby");
    if (by) return by.split(" ").map((id) => document.getElementById(id)?.textContent.trim() ?? "").join(" ").trim();
    const label = element.getAttribute("aria-label") || [...(element.labels ?? [])].map((one) => one.textContent).join(" ");
    return (label || element.getAttribute("alt") || element.textContent || "").trim();
  };
  // Document: language and title (3.1.1, 2.4.2), ids (4.1.1), landmarks and headings (1.3.1, 2.4.6).
  if (!document.documentElement.lang) faults.push("the page names no language");
  if (!document.title) faults.push("the page has no title");
  const ids = all("[id]").map((one) => one.id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) faults.push(`id ${id} is there twice`);
  for (const landmark of ["main", "body > header"])
    if (all(landmark).length !== 1) faults.push(`${landmark}: ${all(landmark).length}`);
  for (const nav of all("nav")) if (!named(nav)) faults.push(`a nav without a name: ${what(nav)}`);
  if (all("h1").length !== 1) faults.push("there must be one h1");
  let level = 0;
  for (const heading of all("h1, h2, h3, h4")) {
    const now = Number(heading.tagName[1]);
    if (now > level + 1) faults.push(`a heading of level ${now} follows one of ${level}: ${what(heading)}`);
    if (!heading.textContent.trim()) faults.push(`an empty heading: ${what(heading)}`);
    level = now;
  }
  for (const element of all("[aria-labelledby], [aria-describedby], [for]"))
    for (const attribute of ["aria-labelledby", "aria-describedby", "for"])
      for (const id of (element.getAttribute(attribute) ?? "").split(" ").filter(Boolean))
        if (!document.getElementById(id)) faults.push(`${attribute} names ${id}, which is not there`);
  // Names (1.1.1, 4.1.2): what is drawn, pictures, fields, buttons, links, regions; tables have heads and captions (1.3.1).
  for (const drawing of all("svg:not([aria-hidden])")) {
    if (drawing.getAttribute("role") !== "img" || !named(drawing)) faults.push(`a drawing without a name: ${what(drawing)}`);
    if (!drawing.querySelector("title")?.textContent || !drawing.querySelector("desc")?.textContent)
      faults.push(`a drawing without words: ${what(drawing)}`);
  }
  for (const picture of all("img")) if (!picture.alt) faults.push(`a picture without words: ${what(picture)}`);
  for (const field of all("input, button, a, summary, fieldset, [role=region], form"))
    if (!named(field)) faults.push(`no name: ${what(field)}`);
  for (const table of all("table")) {
    if (!table.caption?.textContent) faults.push(`a table without a caption: ${what(table)}`);
    for (const head of table.querySelectorAll("th"))
      if (!head.scope || !head.textContent.trim()) faults.push(`a head without scope or text: ${what(head)}`);
    for (const row of table.tBodies[0].rows)
      if (row.cells.length !== table.tHead.rows[0].cells.length) faults.push(`cells without a head: ${what(row)}`);
  }
  for (const list of all("ul, ol"))
    for (const child of list.children) if (child.tagName !== "LI") faults.push(`in a list: ${what(child)}`);
  // Keyboard (2.1.1): what scrolls can be reached, nothing has a tabindex above zero.
  for (const element of all("body *")) {
    const style = getComputedStyle(element);
    const scrolls = ["auto", "scroll"].includes(style.overflowX) && element.scrollWidth > element.clientWidth + 1;
    if (scrolls && element.tabIndex < 0) faults.push(`scrolls, but can't be reached: ${what(element)}`);
    if (element.tabIndex > 0) faults.push(`tabindex: ${what(element)}`);
  }
  // Contrast of text (1.4.3): 4.5 to 1, or 3 to 1 where it is large; of drawn things (1.4.11): 3 to 1.
  const channels = (text) => { // any colour that CSS writes, as the browser draws it
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = channels(getComputedStyle(one).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return channels(matchMedia("(prefers-color-scheme: dark)").matches ? "black" : "white");
  };
  const known = new Map();
  for (const element of all("body *")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) || !seen(element)) continue;
    if (["SCRIPT", "STYLE", "title", "desc"].includes(element.tagName) || element.classList.contains("in")) continue;
    const style = getComputedStyle(element);
    const colour = element.ownerSVGElement ? style.fill : style.color;
    const behind = ground(element.ownerSVGElement ?? element);
    const key = `${colour} on ${behind} ${style.fontSize}`;
    if (known.has(key)) continue;
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 700);
    known.set(key, ratio(channels(colour), behind));
    if (known.get(key) < (large ? 3 : 4.5)) faults.push(`contrast ${known.get(key).toFixed(2)}: ${key}: ${what(element)}`);
  }
  for (const element of all(".dot, .bar, .best, .won")) {
    const style = getComputedStyle(element);
    const drawn = style.fill === "none" || element.matches("circle.won") ? style.stroke : style.fill;
    const ground_of_dot = element.matches(".ring") ? style.borderTopColor : style.backgroundColor;
    const colour = element.ownerSVGElement ? drawn : ground_of_dot;
    const found = ratio(channels(colour), ground(element.ownerSVGElement ?? element.parentElement));
    if (found < 3) faults.push(`contrast ${found.toFixed(2)}: ${what(element)}`);
  }
  // Nothing is wider than the window (1.4.10).
  if (document.documentElement.scrollWidth > innerWidth) {
    const wide = all("body *").filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll, .wide, pre"));
    faults.push(`wider than the window: ${wide.slice(0, 3).map(what).join(" | ")}`);
  }
  return faults;
})()
