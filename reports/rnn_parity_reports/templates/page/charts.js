// Charts are Altair's specifications, drawn by the Vega that the page carries; it is
// unpacked with the first chart that is looked at.

let drawing;

function charts() {
  drawing ??= (async () => {
    // In a function, so that its names are not taken for ours.
    document.head.append(el("script", {}, `(() => {${await unpacked("vega")}\n})();`));
    return JSON.parse(await unpacked("charts"));
  })();
  return drawing;
}

async function draw(target, name, values) {
  const spec = structuredClone((await charts())[name]);
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim();
  const line = style.getPropertyValue("--line").trim();
  spec.datasets = { values };
  spec.config = {
    ...spec.config, background: "transparent", font: "system-ui", view: { stroke: line },
    axis: { labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line, titleFontWeight: 500 },
    legend: { labelColor: ink, titleColor: ink, labelLimit: 300 }, title: { color: ink },
  };
  const colours = { "@pass": "--pass", "@fail": "--fail", "@warn": "--warn", "@ink": "--ink", "@soft": "--soft", "@ground": "--ground" };
  const themed = JSON.parse(JSON.stringify(spec), (_, value) => value in colours ? style.getPropertyValue(colours[value]).trim() : value);
  await window.vegaEmbed(target, themed, { actions: false, renderer: "svg" });
  target.querySelector("svg")?.setAttribute("aria-hidden", "true"); // a table beside it says the same
}
