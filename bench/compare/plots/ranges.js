'use strict';
// Ranges: for each row a dot at the median, a line to the 99th percentile and a tick at the longest, on a logarithmic
// scale of microseconds; a hollow mark is what a round trip takes.

const { frame, text, line, logScale, at, faint, grey } = require('./svg');

const width = 860;
const left = 305;
const right = 820;
const top = 82;
const step = 25;

function time(us) {
  if (us >= 1e6) return `${us / 1e6} s`;
  return us >= 1000 ? `${us / 1000} ms` : `${us} µs`;
}

// Groups: [{ label, colour, bold, rows: [{ label, p50, p99, max, trip }] }], all in microseconds.
function rangePlot(title, unit, groups) {
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

module.exports = { rangePlot };
