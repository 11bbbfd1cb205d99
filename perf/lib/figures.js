'use strict';
// Numbers for people, and tables in Markdown.

function grouped(number) {
  const text = Math.round(Math.abs(number)).toString().replace(/\B(?=(\d{3})+$)/g, ',');
  return Math.round(number) < 0 ? `-${text}` : text;
}

// Three significant digits at least, so that 0.62 and 3.4 and 120 all read well.
function short(number) {
  if (Math.abs(number) >= 100) return grouped(number);
  return number.toFixed(Math.abs(number) >= 10 ? 1 : 2);
}

function row(cells) {
  return `| ${cells.join(' | ')} |`;
}

// The first column is text, the others numbers; with `words`, all are text.
function lines(header, rows, words = false) {
  const rule = header.map((_, index) => (index === 0 || words ? '---' : '---:'));
  return [row(header), row(rule), ...rows.map(row)].join('\n');
}

const percent = share => `${Math.round(share * 100)} %`;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

module.exports = { lines, grouped, short, percent, median };
