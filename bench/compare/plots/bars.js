'use strict';
// Bars: one row a peer, one panel a figure, each with a scale of its own.

const { frame, text, line, at } = require('./svg');

const left = 215;
const width = 860;
const barHeight = 20;
const step = 30;

// Rows: [{ label, colour, bold, values: [{ value, low, high }, one for each panel, or undefined] }]; panels: [{ title,
// format }]. `low` and `high`, where given, are drawn as a thin line.
function barPlot(title, unit, panels, rows) {
  const top = panels.some(panel => panel.title) ? 82 : 58;
  const panelWidth = (width - left) / panels.length;
  const drawn = rows.map((row, index) => text(left - 10, top + index * step + barHeight / 2 + 5, row.label,
    { anchor: 'end', bold: row.bold }));
  panels.forEach((panel, column) => {
    const start = left + column * panelWidth;
    const most = Math.max(...rows.flatMap(row => [row.values[column]?.high ?? 0, row.values[column]?.value ?? 0]));
    const scale = value => (value / most) * (panelWidth - 85);
    if (panel.title) drawn.push(text(start, top - 14, panel.title, { size: 13, bold: true }));
    rows.forEach((row, index) => {
      const found = row.values[column];
      if (found === undefined) return;
      const y = top + index * step;
      const { value, low = value, high = value } = found;
      drawn.push(`<rect x="${at(start)}" y="${y}" width="${at(scale(value))}" height="${barHeight}" fill="${row.colour}"/>`);
      if (high > low) drawn.push(line(start + scale(low), y + barHeight / 2, start + scale(high), y + barHeight / 2));
      drawn.push(text(start + scale(Math.max(high, value)) + 7, y + barHeight / 2 + 5, panel.format(value), { bold: row.bold }));
    });
  });
  return frame({ title, unit, width, height: top + rows.length * step + 8 }, drawn);
}

module.exports = { barPlot };
