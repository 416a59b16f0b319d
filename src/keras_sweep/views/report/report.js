"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("filter");
  const count = document.getElementById("count");
  const body = document.querySelector("#board tbody");
  const tip = document.getElementById("tip");

  // The elements of each trial, and whether the trial is shown.
  const elements = new Map();
  for (const element of document.querySelectorAll("[data-t]")) {
    const number = element.dataset.t;
    if (!elements.has(number)) elements.set(number, []);
    elements.get(number).push(element);
  }
  const trials = Object.keys(page.trials);
  const shown = new Map(trials.map((number) => [number, true]));

  // Filters: what the form says. ---------------------------------------------------------------------------------------
  const fields = page.axes.map((axis) => {
    const place = form?.querySelector(`[data-axis="${CSS.escape(axis.name)}"]`);
    return place && { boxes: [...place.querySelectorAll("[type=checkbox]")], from: place.querySelector(".from"), to: place.querySelector(".to") };
  });
  const inputs = form ? [...form.querySelectorAll("input")] : [];
  const states = inputs.filter((input) => input.closest("[data-states]"));

  /** The condition on an axis; null where every trial meets it. */
  function condition(index) {
    const field = fields[index];
    if (!field) return null;
    if (page.axes[index].choices) {
      if (field.boxes.every((box) => box.checked)) return null;
      const chosen = new Set(field.boxes.filter((box) => box.checked).map((box) => Number(box.value)));
      return (value) => value !== null && chosen.has(value);
    }
    const low = field.from.value === "" ? -Infinity : Number(field.from.value);
    const high = field.to.value === "" ? Infinity : Number(field.to.value);
    return low === -Infinity && high === Infinity ? null : (value) => value !== null && value >= low && value <= high;
  }

  let pressed = false; // whether a pointer is down
  for (const kind of ["pointerdown", "pointerup", "pointercancel"])
    addEventListener(kind, () => { pressed = kind === "pointerdown"; });

  // The layout of a long table takes longer than a frame, so while you brush an axis the table waits for a pause.
  const MANY = 500;
  let tableSoon = 0;
  const rows = [...document.querySelectorAll("tr[data-t]")];
  function filterTable() {
    for (const row of rows) if (row.hidden === (shown.get(row.dataset.t) ?? true)) row.hidden = !row.hidden;
  }

  function apply() {
    const conditions = page.axes.map((_, index) => condition(index));
    const hiddenStates = new Set(states.filter((box) => !box.checked).map((box) => box.value));
    let visible = 0;
    for (const number of trials) {
      const values = page.trials[number];
      const on = conditions.every((holds, index) => holds === null || holds(values[index])) && !hiddenStates.has(page.states[number] ?? "COMPLETE");
      visible += on;
      if (on === shown.get(number)) continue;
      shown.set(number, on);
      for (const element of elements.get(number) ?? []) {
        if (!(element instanceof HTMLTableRowElement)) element.classList.toggle("off", !on);
      }
    }
    clearTimeout(tableSoon);
    if (pressed && trials.length > MANY) tableSoon = setTimeout(filterTable, 300);
    else filterTable();
    count.textContent = visible.toLocaleString("en");
    brushes.forEach((brush) => brush.draw());
  }

  let frame = 0;
  function applySoon() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(apply);
  }

  // Brushing: a stretch of an axis fills in the form. ------------------------------------------------------------------
  const brushes = [];
  for (const group of document.querySelectorAll(".brush")) {
    const index = page.axes.findIndex((axis) => axis.name === group.dataset.axis);
    const axis = page.axes[index];
    const field = fields[index];
    if (!field) continue;
    const hit = group.querySelector(".hit");
    const selection = group.querySelector(".sel");
    const top = Number(hit.getAttribute("y")) + 8;
    const foot = top + Number(hit.getAttribute("height")) - 16;
    const place = (value) => (axis.log ? Math.log10(value) : value);
    const low = axis.choices ? -0.5 : place(axis.low);
    const high = axis.choices ? axis.high + 0.5 : place(axis.high);
    const valueAt = (y) => { const value = high - ((y - top) / (foot - top)) * (high - low); return axis.log ? 10 ** value : value; };
    const yOf = (value) => top + ((high - Math.max(low, Math.min(high, place(value)))) / (high - low || 1)) * (foot - top);
    const pointer = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(hit.getScreenCTM().inverse());
      return Math.max(top, Math.min(foot, point.y));
    };
    function choose(from, to) { // two heights, the upper one first
      if (axis.choices) {
        field.boxes.forEach((box) => { const y = yOf(Number(box.value)); box.checked = from === null || (y >= from && y <= to); });
      } else {
        field.to.value = from === null || from <= top ? "" : Number(valueAt(from).toPrecision(3));
        field.from.value = from === null || to >= foot ? "" : Number(valueAt(to).toPrecision(3));
      }
      applySoon();
    }
    function draw() {
      let from = top;
      let to = foot;
      if (axis.choices) {
        const chosen = field.boxes.filter((box) => box.checked).map((box) => yOf(Number(box.value)));
        if (chosen.length === field.boxes.length || chosen.length === 0) from = to;
        else { const half = (foot - top) / field.boxes.length / 2; from = Math.min(...chosen) - half; to = Math.max(...chosen) + half; }
      } else {
        if (field.to.value !== "") from = yOf(Number(field.to.value));
        if (field.from.value !== "") to = yOf(Number(field.from.value));
        if (field.to.value === "" && field.from.value === "") to = from;
      }
      selection.setAttribute("y", from);
      selection.setAttribute("height", Math.max(to - from, 0));
      selection.setAttribute("visibility", to > from ? "visible" : "hidden");
    }
    brushes.push({ draw });
    let start = null;
    hit.addEventListener("pointerdown", (event) => { start = pointer(event); hit.setPointerCapture(event.pointerId); event.preventDefault(); });
    hit.addEventListener("pointermove", (event) => {
      if (start === null) return;
      const now = pointer(event);
      if (Math.abs(now - start) >= 3) choose(Math.min(start, now), Math.max(start, now));
    });
    hit.addEventListener("pointerup", (event) => {
      if (start !== null && Math.abs(pointer(event) - start) < 3) choose(null, null);
      start = null;
      applySoon();
    });
    hit.addEventListener("pointercancel", () => { start = null; applySoon(); });
  }
  if (form) {
    form.addEventListener("input", applySoon);
    form.addEventListener("reset", () => setTimeout(apply));
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  // Sorting. -----------------------------------------------------------------------------------------------------------
  const heads = [...document.querySelectorAll("#board thead th")];
  function sortBy(index, direction) {
    heads.forEach((head) => head.setAttribute("aria-sort", "none"));
    heads[index].setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    const key = (row) => {
      const cell = row.cells[index];
      const text = cell.dataset.v ?? cell.textContent.trim();
      return text === "" || text === "–" || text === "failed" ? null : isNaN(text) ? text : Number(text);
    };
    const keyed = [...body.rows].map((row) => [key(row), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null); // rows without a value come last in both directions
      return direction * (typeof a === typeof b ? (a > b) - (a < b) : typeof a === "number" ? -1 : 1);
    });
    body.append(...keyed.map(([, row]) => row));
  }
  heads.forEach((head, index) => {
    head.querySelector("button").addEventListener("click", () => sortBy(index, head.getAttribute("aria-sort") === "ascending" ? -1 : 1));
  });

  // Pointing at a trial shows it everywhere. ---------------------------------------------------------------------------
  let hot = null;
  function point(number, event) {
    if (number !== hot) {
      (elements.get(hot) ?? []).forEach((element) => element.classList.remove("hot"));
      hot = number;
      (elements.get(hot) ?? []).forEach((element) => element.classList.add("hot"));
      tip.hidden = hot === null || !(hot in page.trials);
      if (!tip.hidden) tip.textContent = words(hot);
    }
    if (event && !tip.hidden) {
      tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
      tip.style.top = `${event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18}px`;
    }
  }
  function words(number) {
    const lines = page.axes.flatMap((axis, index) => {
      const value = page.trials[number][index];
      return value === null ? [] : `${axis.name} ${axis.choices ? axis.choices[value] : Number(value.toPrecision(4))}`;
    });
    return [`trial ${number}`, ...lines].join("\n");
  }
  addEventListener("pointerover", (event) => {
    const element = event.target.closest?.("[data-t]");
    point(element ? element.dataset.t : null, element && !(element instanceof HTMLTableRowElement) ? event : null);
    if (element instanceof HTMLTableRowElement) tip.hidden = true;
  });

  // A page of a running sweep reloads; the history keeps what was brushed, sorted and scrolled. ------------------------
  const nameOf = (input) => `${input.closest("fieldset").dataset.axis} ${input.ariaLabel ?? input.parentElement.textContent}`;
  function state() {
    const sorted = heads.findIndex((head) => head.getAttribute("aria-sort") !== "none");
    return {
      form: Object.fromEntries(inputs.map((input) => [nameOf(input), input.type === "checkbox" ? input.checked : input.value])),
      sort: [heads[sorted]?.textContent, heads[sorted]?.getAttribute("aria-sort")],
      scroll: [scrollX, scrollY],
      table: [...document.querySelectorAll(".scroll, .wide")].map((element) => [element.scrollLeft, element.scrollTop]),
      open: [...document.querySelectorAll("details[open]")].map((element) => element.id),
      focus: document.activeElement?.id || null,
      follow: document.getElementById("follow")?.checked ?? true,
    };
  }
  function restore(saved) {
    for (const input of inputs) {
      const value = saved.form[nameOf(input)]; // undefined: a choice that the page did not have before
      if (value !== undefined) input[input.type === "checkbox" ? "checked" : "value"] = value;
    }
    const sorted = heads.findIndex((head) => head.textContent === saved.sort?.[0]);
    if (sorted >= 0 && (sorted > 0 || saved.sort[1] === "descending")) sortBy(sorted, saved.sort[1] === "descending" ? -1 : 1);
    saved.open?.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    const follow = document.getElementById("follow");
    if (follow) follow.checked = saved.follow;
    apply();
    [...document.querySelectorAll(".scroll, .wide")].forEach((element, index) => {
      if (saved.table?.[index]) [element.scrollLeft, element.scrollTop] = saved.table[index];
    });
    if (saved.scroll) scrollTo(...saved.scroll);
    if (saved.focus) document.getElementById(saved.focus)?.focus({ preventScroll: true });
  }
  let remembering = 0;
  function rememberSoon() {
    clearTimeout(remembering);
    remembering = setTimeout(() => history.replaceState(state(), ""), 200);
  }
  for (const kind of ["input", "click", "pointerup", "scroll", "toggle", "reset"])
    addEventListener(kind, rememberSoon, { capture: true, passive: true });
  if (history.state?.form) restore(history.state);
  else apply();
  if (page.running) {
    setInterval(() => {
      const editing = document.activeElement?.matches("#filter input");
      if (document.getElementById("follow").checked && !pressed && !editing && !document.hidden) {
        history.replaceState(state(), "");
        location.reload();
      }
    }, page.refresh * 1000);
  }
})();
