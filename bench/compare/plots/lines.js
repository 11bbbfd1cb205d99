'use strict';
// Lines: figures by sizes of batch, on a logarithmic scale, labelled at their ends.

const { frame, text, line, logScale, spread, at, faint, grey } = require('./svg');

const width = 860;
const height = 470;
const left = 78;
const right = 620;
const top = 66;
const bottom = 425;

// Series: [{ label, colour, bold, points: [{ x, y }] }], where x is one of `steps`.
function linePlot(title, unit, axis, steps, series, format) {
  const all = series.flatMap(one => one.points.map(point => point.y));
  const scale = logScale(Math.min(...all), Math.max(...all), bottom, top);
  const place = x => left + 20 + (steps.indexOf(x) / Math.max(1, steps.length - 1)) * (right - left - 40);
  const drawn = scale.decades.flatMap(decade => [
    line(left, scale.place(decade), right, scale.place(decade), faint),
    text(left - 8, scale.place(decade) + 5, format(decade), { anchor: 'end', size: 12, colour: grey }),
  ]);
  for (const x of steps) drawn.push(text(place(x), bottom + 22, format(x), { anchor: 'middle', size: 12, colour: grey }));
  drawn.push(text((left + right) / 2, bottom + 39, axis, { anchor: 'middle', size: 12, colour: grey }));

  const labels = series.map(one => {
    const last = one.points.at(-1);
    return { ...one, end: { x: place(last.x), y: scale.place(last.y) }, y: scale.place(last.y), value: last.y };
  });
  spread(labels, 18, bottom);
  // Ours last, and so on top.
  for (const one of [...labels].sort((a, b) => Number(a.bold) - Number(b.bold))) {
    const points = one.points.map(point => `${at(place(point.x))},${at(scale.place(point.y))}`);
    const thickness = one.bold ? 3.5 : 1.8;
    drawn.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${one.colour}" stroke-width="${thickness}"/>`);
    for (const point of points) {
      const [x, y] = point.split(',');
      drawn.push(`<circle cx="${x}" cy="${y}" r="${one.bold ? 4.5 : 3}" fill="${one.colour}"/>`);
    }
    drawn.push(line(one.end.x + 6, one.end.y, right + 8, one.y, one.colour, 0.7));
    drawn.push(text(right + 12, one.y + 5, `${one.label}  ${format(one.value)}`,
      { size: 13, colour: one.colour, bold: one.bold }));
  }
  return frame({ title, unit, width, height }, drawn);
}

module.exports = { linePlot };
