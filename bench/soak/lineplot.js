'use strict';
// A line plot as SVG: time to the right in seconds, a figure upwards from 0.

const escape = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

const width = 760;
const height = 300;
const left = 70;
const right = 20;
const top = 76;
const bottom = 40;

// A step of 1, 2 or 5 times a power of ten, so that there are four to eight of them.
function niceStep(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  return [1, 2, 5, 10].map(factor => factor * power).find(step => most / step <= 8);
}

function ticks(most) {
  const step = niceStep(most);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

function legend(series) {
  return series.map((one, index) => {
    const x = 12 + index * 180;
    return `<line x1="${x}" x2="${x + 24}" y1="60" y2="60" stroke="${one.colour}" stroke-width="2"` +
      `${one.dashed ? ' stroke-dasharray="5 3"' : ''}/><text x="${x + 30}" y="64" font-size="12">${escape(one.label)}</text>`;
  });
}

function axes(x, y, mostX, mostY, format) {
  return [
    ...ticks(mostY).map(value => `<line x1="${left}" x2="${width - right}" y1="${y(value)}" y2="${y(value)}" ` +
      `stroke="#d0d7de"/><text x="${left - 8}" y="${Number(y(value)) + 4}" text-anchor="end" font-size="12">${format(value)}</text>`),
    ...ticks(mostX).map(value => `<text x="${x(value)}" y="${height - bottom + 18}" text-anchor="middle" ` +
      `font-size="12">${value}</text>`),
    `<text x="${width - right}" y="${height - 6}" text-anchor="end" font-size="12">seconds</text>`,
  ];
}

// series: [{ label, colour, dashed, points: [[second, value]] }]; a value that is null leaves a gap.
function linePlot(title, unit, series, format) {
  const all = series.flatMap(one => one.points).filter(point => point[1] !== null);
  const mostX = Math.max(...all.map(point => point[0]));
  const mostY = Math.max(...all.map(point => point[1])) * 1.05 || 1;
  const x = value => (left + (value / mostX) * (width - left - right)).toFixed(1);
  const y = value => (height - bottom - (value / mostY) * (height - top - bottom)).toFixed(1);
  const drawn = series.map(one => `<polyline fill="none" stroke="${one.colour}" stroke-width="1.6"` +
    `${one.dashed ? ' stroke-dasharray="5 3"' : ''} points="${one.points.filter(point => point[1] !== null)
      .map(point => `${x(point[0])},${y(point[1])}`).join(' ')}"/>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}" ` +
      'font-family="sans-serif" font-size="14" fill="#24292f">',
    `<title>${escape(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="12" y="24" font-size="16" font-weight="bold">${escape(title)}</text>`,
    `<text x="12" y="43" font-size="12">${escape(unit)}</text>`,
    ...legend(series),
    ...axes(x, y, mostX, mostY, format),
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

module.exports = { linePlot };
