// Errors a minute, drawn live.

const canvas = document.querySelector("#chart");
const colours = () => {
  const style = getComputedStyle(document.documentElement);
  // light-dark() is resolved on an element's own properties only, so they are read from one.
  const probe = document.createElement("i");
  document.body.append(probe);
  const read = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
  const found = { line: read("--line"), text: read("--text-3"), bad: read("--bad"), good: read("--good"), mark: read("--ember"), font: style.getPropertyValue("--font") };
  probe.remove();
  return found;
};

let last = { rate: [], marks: [] };

/** @param rate [[seconds since 1970, errors a minute], …], oldest first; marks: [[seconds, label], …] */
export function draw({ rate, marks } = last) {
  last = { rate, marks };
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (!width || rate.length < 2) return;
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const c = colours();
  const bottom = height - 17, top = 27;
  const begin = rate[0][0], end = rate[rate.length - 1][0];
  const highest = nice(Math.max(30, ...rate.map(([, value]) => value)));
  pen.font = `10.5px ${c.font}`;
  const left = Math.max(28, Math.ceil(pen.measureText(highest.toLocaleString()).width) + 8);
  const x = (at) => left + ((at - begin) / (end - begin)) * (width - left - 2);
  const y = (value) => bottom - (value / highest) * (bottom - top);

  pen.fillStyle = c.text;
  pen.strokeStyle = c.line;
  pen.lineWidth = 1;
  pen.textAlign = "right";
  for (const value of [0, highest / 2, highest]) {
    const level = Math.round(y(value)) + 0.5;
    pen.beginPath(); pen.moveTo(left, level); pen.lineTo(width, level); pen.stroke();
    pen.fillText(value.toLocaleString(), left - 6, level + 3.5);
  }
  pen.textAlign = "left";
  pen.fillText(ago(end - begin), left, height - 3);
  pen.textAlign = "right";
  pen.fillText("now", width - 1, height - 3);

  const bad = rate.some(([, value]) => value > 12);
  const ink = bad ? c.bad : c.good;
  pen.beginPath();
  rate.forEach(([at, value], index) => (index ? pen.lineTo(x(at), y(value)) : pen.moveTo(x(at), y(value))));
  pen.strokeStyle = ink; pen.lineWidth = 2; pen.lineJoin = "round"; pen.stroke();
  pen.lineTo(x(end), bottom); pen.lineTo(x(begin), bottom); pen.closePath();
  pen.globalAlpha = 0.13; pen.fillStyle = ink; pen.fill(); pen.globalAlpha = 1;

  // Deploys: a label goes below the one before where it would lie on it; a third one is left out.
  const free = [left, left];
  pen.textAlign = "left";
  for (const [at, label] of marks.filter(([at]) => at >= begin)) {
    const where = Math.round(x(at)) + 0.5;
    pen.setLineDash([3, 3]); pen.strokeStyle = c.mark; pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(where, 11); pen.lineTo(where, bottom); pen.stroke(); pen.setLineDash([]);
    const wide = pen.measureText(label).width;
    const start = Math.min(where - 2, width - wide - 1);
    const row = free.findIndex((from) => start >= from);
    if (row >= 0) { pen.fillStyle = c.mark; pen.fillText(label, start, 9 + 11 * row); free[row] = start + wide + 6; }
  }
  document.querySelector("#rate").textContent = Math.round(rate[rate.length - 1][1]).toLocaleString();
}

function nice(value) {
  const step = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 10].map((times) => times * step).find((one) => one >= value);
}
const ago = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s ago` : `${Math.round(seconds / 60)} min ago`);

addEventListener("resize", () => draw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
