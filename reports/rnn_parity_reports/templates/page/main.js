// Starts the page, follows the address after the hash, and listens to keys.

let report, matrix, view, cameFrom, turns = 0;

async function follow() {
  const turn = ++turns;
  const asked = new URLSearchParams(location.hash.slice(1));
  const name = asked.get("case");
  const opened = name !== null && await view.open(name, asked.get("backend"));
  if (turn !== turns) return; // the address changed again meanwhile
  byId("case").hidden = !opened;
  byId("overview").hidden = opened;
  if (opened) {
    byId("case-title").focus({ preventScroll: true });
    scrollTo(0, 0);
  } else if (cameFrom) {
    const cell = [...byId("matrix").querySelectorAll("a")].find((a) => a.getAttribute("href") === cameFrom);
    cell?.focus();
    cell?.scrollIntoView({ block: "center" });
  }
  if (opened && !cameFrom) cameFrom = location.hash;
  if (!opened) cameFrom = undefined;
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
  const typing = event.target.matches('input[type="search"]');
  const inCase = !byId("case").hidden;
  if (event.key === "Escape" && inCase) location.hash = "";
  else if (event.key === "Escape" && typing) event.target.blur();
  else if (typing) return;
  else if (event.key === "/" && !inCase) { event.preventDefault(); byId("search").focus(); }
  else if ((event.key === "j" || event.key === "k") && inCase) byId("case").querySelector(`nav a[rel="${event.key === "j" ? "next" : "prev"}"]`)?.click();
}

function theme() {
  const dark = (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  if (!byId("case").hidden) follow(); // charts take the theme's colours when they are drawn
}

async function start() {
  report = JSON.parse(await unpacked("data"));
  report.results.forEach((result, index) => { result.index = index; });
  matrix = new Matrix(report);
  view = new CaseView(report, matrix);
  addEventListener("hashchange", follow);
  document.addEventListener("keydown", keys);
  byId("theme").addEventListener("click", theme);
  byId("spread").addEventListener("toggle", () => {
    const judged = report.results.filter((r) => r.bound_ratio > 0 && r.number === r.bound_ratio);
    draw(byId("spread-chart"), "spread", judged.map((r) => ({ backend: clean(report.backends[r.backend]), bound_ratio: r.bound_ratio })));
  }, { once: true });
  await follow();
  document.documentElement.dataset.ready = Math.ceil(performance.now()); // ms since it was opened
}

start().catch((error) => {
  byId("broken").textContent = `This page could not be shown (${error}); it needs a browser of 2023 or later. report.md holds the same as text.`;
  byId("broken").hidden = false;
  throw error;
});
