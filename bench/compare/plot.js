'use strict';
// A bar plot as SVG: one bar a peer, with its figure, and a thin line from the lowest round to the highest.

const escape = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

const left = 190;
const width = 760;
const barHeight = 22;
const step = 34;
const top = 56;

// bars: [{ label, value, low, high, ours }]
function barPlot(title, unit, bars, format) {
  const most = Math.max(...bars.map(bar => bar.high));
  const scale = value => (value / most) * (width - left - 110);
  const height = top + bars.length * step + 8;
  const drawn = bars.map((bar, index) => {
    const y = top + index * step;
    const middle = y + barHeight / 2;
    const right = left + Math.max(scale(bar.value), scale(bar.high));
    return [
      `<text x="${left - 8}" y="${middle + 5}" text-anchor="end">${escape(bar.label)}</text>`,
      `<rect x="${left}" y="${y}" width="${scale(bar.value).toFixed(1)}" height="${barHeight}" ` +
        `fill="${bar.ours ? '#1f6feb' : '#9aa4b2'}"/>`,
      `<line x1="${(left + scale(bar.low)).toFixed(1)}" x2="${(left + scale(bar.high)).toFixed(1)}" y1="${middle}" ` +
        `y2="${middle}" stroke="#24292f"/>`,
      `<text x="${(right + 8).toFixed(1)}" y="${middle + 5}">${format(bar.value)}</text>`,
    ].join('\n');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}" ` +
      'font-family="sans-serif" font-size="14" fill="#24292f">',
    `<title>${escape(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="12" y="24" font-size="16" font-weight="bold">${escape(title)}</text>`,
    `<text x="12" y="43" font-size="12">${escape(unit)}</text>`,
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

module.exports = { barPlot };
