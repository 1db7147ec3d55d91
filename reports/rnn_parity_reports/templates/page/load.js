// Reads what the page carries, and makes elements. Text from a report reaches the page as
// text alone: `el` sets textContent and attributes, nothing here parses HTML.

const byId = (id) => document.getElementById(id);

function el(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "path", "text", "title", "marker", "defs"].includes(tag);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

async function unpacked(id) {
  const letters = atob(byId(id).textContent);
  const packed = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) packed[at] = letters.charCodeAt(at);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

// As JSON has it, but with control characters and changes of direction made visible.
function clean(text) {
  return String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function short(number, digits = 2) {
  if (number === null || number === undefined) return "–";
  const size = Math.abs(number);
  if (number !== 0 && (size >= 1e4 || size < 1e-3)) return number.toExponential(1).replace("e+", "e");
  return size >= 100 ? number.toFixed(0) : size >= 10 ? number.toFixed(1) : number.toFixed(digits);
}

function said(result) {
  return result.number === null ? result.mark : `${result.mark} ${short(result.number)}`;
}

// Of what is right: the nearer to its limit, the warmer.
function shade(result) {
  return ["pass", "consistent"].includes(result.verdict) ? `--bound-ratio:${Math.min(result.number ?? 0, 1)}` : null;
}

function link(caseId, backend) {
  return `#case=${encodeURIComponent(caseId)}` + (backend ? `&backend=${encodeURIComponent(backend)}` : "");
}
