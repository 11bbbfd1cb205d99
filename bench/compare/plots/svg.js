'use strict';
// What all plots share: the frame, and scales.

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

module.exports = { frame, text, line, logScale, spread, at, ink, faint, grey };
