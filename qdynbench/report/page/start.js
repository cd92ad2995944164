try {
  const text = atob($(document, "#data").textContent), bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);  // Uint8Array.from takes an eighth of a second
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = JSON.parse(await new Response(stream).text());
  const runs = $$(document, "[data-run]").map((article, number) => section(data.runs[number], article, number));
  const sections = [...runs];
  if (data.overview) sections.push(together(data.overview, data.runs, $(document, "[data-together]"), runs));
  // Links within the page move there and leave the view in the address.
  document.addEventListener("click", event => {
    const target = event.target.closest('a[href^="#"]');
    const place = target && document.getElementById(target.getAttribute("href").slice(1));
    if (!place) return;
    event.preventDefault();
    visit(place);
  });
  addEventListener("hashchange", () => {
    const fresh = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    [...state.keys()].forEach(key => state.delete(key));
    fresh.forEach((value, key) => state.set(key, value));
    sections.forEach(one => one.all());
    viewed();
  });
  viewed();
  let width = innerWidth, wait = 0;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(wait);
    wait = setTimeout(() => sections.forEach(one => one.charts()), 100);
  });
  let closed = [];
  const printed = on => { paper.on = on; sections.forEach(one => one.charts()); };
  addEventListener("beforeprint", () => {
    closed = $$(document, "details:not([open])");
    closed.forEach(one => { one.open = true; });
    printed(true);
  });
  addEventListener("afterprint", () => {
    closed.forEach(one => { one.open = false; });
    printed(false);
  });
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
} catch (error) {
  const problem = $(document, "#problem");
  problem.textContent = `The charts and the table of cells cannot be drawn in this browser (${error.message}). All text below is complete.`;
  problem.hidden = false;
  console.error(error);
}
