// Draws the charts, shows what is pointed at, copies text. Nothing is fetched or evaluated.
(() => {
  "use strict";
  const { View, compile, expressionInterpreter, parse } = globalThis.seedwiseVega;
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const tip = document.getElementById("tip");

  const describe = (values) => {
    const list = document.createElement("dl");
    for (const [name, value] of Object.entries(values)) {
      list.append(Object.assign(document.createElement("dt"), { textContent: name }));
      list.append(Object.assign(document.createElement("dd"), { textContent: String(value) }));
    }
    return list;
  };

  const point = (_handler, event, _item, values) => {
    if (values === null || values === undefined || typeof values !== "object") {
      tip.hidden = true;
      return;
    }
    tip.replaceChildren(describe(values));
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const left = Math.min(event.clientX + 14, innerWidth - width - 8);
    const above = event.clientY - height - 14;
    tip.style.transform = `translate(${Math.max(8, left)}px, ${above > 8 ? above : event.clientY + 18}px)`;
  };

  const draw = (place) => {
    if (place.dataset.drawn || place.offsetWidth === 0) return; // without room yet
    place.dataset.drawn = "yes";
    const spec = { autosize: { type: "fit-x", contains: "padding" }, ...specs[place.dataset.chart] };
    const runtime = parse(compile(spec).spec, undefined, { ast: true });
    const view = new View(runtime, { expr: expressionInterpreter, renderer: "svg", hover: true });
    view.tooltip(point).initialize(place).runAsync();
  };

  const places = [...document.querySelectorAll(".plot")];
  // Room for each chart beforehand, so that nothing below moves when it is drawn.
  for (const place of places) place.style.minHeight = `${specs[place.dataset.chart].height + 41}px`;
  const near = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
    { rootMargin: "600px" },
  );
  places.forEach((place) => near.observe(place));
  const parts = [...document.querySelectorAll(".part")];
  for (const part of parts) part.addEventListener("toggle", () => part.querySelectorAll(".plot").forEach(draw));
  addEventListener("beforeprint", () => {
    parts.forEach((part) => { part.open = true; });
    places.forEach(draw);
  });
  const openLinked = () => {
    const part = [...document.querySelectorAll("section")].find((each) => `#${each.id}` === location.hash)?.querySelector(".part");
    if (part) part.open = true;
  };
  addEventListener("hashchange", openLinked);
  openLinked();
  const idle = globalThis.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  const rest = () => {
    const place = places.find((each) => !each.dataset.drawn && each.offsetWidth > 0);
    if (!place) return;
    draw(place);
    idle(rest, { timeout: 400 });
  };
  addEventListener("load", () => idle(rest, { timeout: 400 }));
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

  addEventListener("keydown", (event) => {
    if (event.key !== "t" || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...document.querySelectorAll(".chart details")];
    const open = !all.every((each) => each.open);
    if (open) parts.forEach((part) => { part.open = true; });
    all.forEach((each) => { each.open = open; });
  });

  const copy = async (text, code) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
  };
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      await copy(code.textContent, code);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
})();
