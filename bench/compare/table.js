'use strict';
// Tables in Markdown: peers by columns, each cell a figure and how many times as much ours is.

const { peers } = require('./names');

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

// `size` is a batch, "threads" or "pickup".
const find = (parts, peer, size) => parts.find(part => part.name === `${peer}/${size}`);

// What stands in parentheses.
const ratios = { rate: (theirs, ours) => ours / theirs, cost: (theirs, ours) => theirs / ours, none: null };

// A column: `size` chooses the part, `figure` (a name, or a function of the part) the number, `title` stands above;
// `ratio` is one of the above.
function comparison(parts, columns) {
  const value = (peer, { size, figure }) => {
    const part = find(parts, peer, size);
    if (part === undefined) return undefined;
    return typeof figure === 'function' ? figure(part) : part[figure];
  };
  const cell = (peer, column) => {
    const theirs = value(peer, column);
    const { format = grouped } = column;
    if (theirs === undefined || Number.isNaN(theirs)) return '';
    const ours = value('pgqrs', column);
    const ratio = ratios[column.ratio ?? 'none'];
    // A time may be below 0, and then nothing is so many times as long.
    if (peer === 'pgqrs' || !ratio || !(ours > 0 && theirs > 0)) return format(theirs);
    return `${format(theirs)} (${short(ratio(theirs, ours))})`;
  };
  const rows = peers
    .map(({ key, name }) => [name, ...columns.map(column => cell(key, column))])
    .filter(cells => cells.slice(1).some(text => text !== ''));
  return lines(['', ...columns.map(column => column.title)], rows);
}

module.exports = { lines, comparison, grouped, short, find };
