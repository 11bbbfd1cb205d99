'use strict';
// Plots as SVG: lines, ranges and courses.

const escape = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
const at = number => number.toFixed(1);

const ink = '#24292f';
const faint = '#d0d7de';
const grey = '#57606a';

// `drawn` is a list of elements.
function frame({ title, unit, width, height }, drawn) {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}" ` +
      `font-family="sans-serif" font-size="14" fill="${ink}">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="12" y="24" font-size="16" font-weight="bold">${escape(title)}</text>`,
    `<text x="12" y="43" font-size="12">${escape(unit)}</text>`,
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

function text(x, y, words, { anchor = 'start', size = 14, colour = ink, bold = false } = {}) {
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}" font-size="${size}" fill="${colour}"` +
    `${bold ? ' font-weight="bold"' : ''}>${escape(words)}</text>`;
}

function line(x1, y1, x2, y2, colour = ink, width = 1) {
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" stroke="${colour}" stroke-width="${width}"/>`;
}

// From `least` to `most`, both widened to powers of ten, onto `from` to `to`. What is below is drawn at the edge.
function logScale(least, most, from, to) {
  const low = Math.floor(Math.log10(least));
  const high = Math.max(low + 1, Math.ceil(Math.log10(most)));
  const place = value => from + ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * (to - from);
  return { place, decades: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)) };
}

// Moves labels down, or up where there is no room, until none is within `distance` of another. Changes their `y`.
function spread(labels, distance, lowest) {
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  for (let i = 1; i < sorted.length; i++) sorted[i].y = Math.max(sorted[i].y, sorted[i - 1].y + distance);
  for (let i = sorted.length - 1; i >= 0; i--)
    sorted[i].y = Math.min(sorted[i].y, i === sorted.length - 1 ? lowest : sorted[i + 1].y - distance);
}

const width = 860;

// Ranges: for each row a dot at the median, a line to the 99th percentile and a tick at the longest, on a logarithmic
// scale of microseconds; a hollow mark is what a round trip takes.
function time(us) {
  if (us >= 1e6) return `${us / 1e6} s`;
  return us >= 1000 ? `${us / 1000} ms` : `${us} µs`;
}

// Groups: [{ label, colour, bold, rows: [{ label, p50, p99, max, trip }] }], all in microseconds.
function rangePlot(title, unit, groups) {
  const [left, right, top, step] = [305, 820, 82, 25];
  const rows = groups.flatMap(group => group.rows);
  const bottom = top + rows.length * step + groups.length * 10;
  const least = Math.min(...rows.flatMap(row => [row.p50, row.trip]).filter(value => value > 0));
  const scale = logScale(Math.max(10, least), Math.max(...rows.map(row => row.max)), left, right);
  const drawn = scale.decades.flatMap(decade => [
    line(scale.place(decade), top - 12, scale.place(decade), bottom - 8, faint),
    text(scale.place(decade), top - 20, time(decade), { anchor: 'middle', size: 12, colour: grey }),
  ]);
  let y = top + 6;
  for (const group of groups) {
    drawn.push(text(left - 90, y + 5, group.label, { anchor: 'end', bold: group.bold }));
    for (const row of group.rows) {
      const [p50, p99, max, trip] = [row.p50, row.p99, row.max, row.trip].map(scale.place);
      drawn.push(text(left - 14, y + 5, row.label, { anchor: 'end', size: 12, colour: grey }));
      drawn.push(line(p99, y, max, y, group.colour, 0.8), line(max, y - 5, max, y + 5, group.colour, 1.2));
      drawn.push(line(p50, y, p99, y, group.colour, 4));
      drawn.push(`<circle cx="${at(p50)}" cy="${at(y)}" r="5.5" fill="${group.colour}"/>`);
      drawn.push(`<rect x="${at(trip - 2)}" y="${at(y - 8)}" width="4" height="16" fill="#ffffff" stroke="${grey}"/>`);
      y += step;
    }
    y += 10;
  }
  return frame({ title, unit, width, height: bottom + 4 }, drawn);
}

// Lines: figures by sizes of batch, on a logarithmic scale, labelled at their ends.
// Series: [{ label, colour, bold, points: [{ x, y }] }], where x is one of `steps`.
function linePlot(title, unit, axis, steps, series, format) {
  const [height, left, right, top, bottom] = [470, 78, 620, 66, 425];
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

// A step of 1, 2 or 5 times a power of ten, so that there are four to eight of them up to `most`.
function ticks(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(one => most / one <= 8);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

// Courses: time to the right in seconds, a figure upwards from 0. Series: [{ label, colour, dashed, points: [[second,
// value]] }]; a value that is not there leaves a gap.
function coursePlot(title, unit, series, format) {
  const [height, left, right, top, bottom] = [300, 70, width - 20, 76, 260];
  const all = series.flatMap(one => one.points).filter(point => Number.isFinite(point[1]));
  const mostX = Math.max(...all.map(point => point[0]));
  const mostY = Math.max(...all.map(point => point[1])) * 1.05 || 1;
  const x = value => left + (value / mostX) * (right - left);
  const y = value => bottom - (value / mostY) * (bottom - top);
  const dashes = one => (one.dashed ? ' stroke-dasharray="5 3"' : '');
  const drawn = [
    ...ticks(mostY).flatMap(value => [line(left, y(value), right, y(value), faint),
      text(left - 8, y(value) + 4, format(value), { anchor: 'end', size: 12 })]),
    ...ticks(mostX).map(value => text(x(value), bottom + 18, String(value), { anchor: 'middle', size: 12 })),
    text(right, height - 6, 'seconds', { anchor: 'end', size: 12 }),
    ...series.flatMap((one, index) => [
      `<line x1="${12 + index * 180}" x2="${36 + index * 180}" y1="60" y2="60" stroke="${one.colour}" stroke-width="2"${dashes(one)}/>`,
      text(42 + index * 180, 64, one.label, { size: 12 })]),
    ...series.map(one => `<polyline fill="none" stroke="${one.colour}" stroke-width="1.6"${dashes(one)} points="${one.points
      .filter(point => Number.isFinite(point[1])).map(([second, value]) => `${at(x(second))},${at(y(value))}`).join(' ')}"/>`),
  ];
  return frame({ title, unit, width, height }, drawn);
}

module.exports = { linePlot, rangePlot, coursePlot };
