'use strict';
// Tables in Markdown: peers by sizes of batch, each cell a figure and how many times as much ours is.

const { peers } = require('./names');

function grouped(number) {
  return Math.round(number).toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

// Three significant digits at least, so that 0.62 and 3.4 and 120 all read well.
function short(number) {
  if (number >= 100) return grouped(number);
  return number.toFixed(number >= 10 ? 1 : 2);
}

function row(cells) {
  return `| ${cells.join(' | ')} |`;
}

function lines(header, rows) {
  const rule = header.map((_, index) => (index === 0 ? '---' : '---:'));
  return [row(header), row(rule), ...rows.map(row)].join('\n');
}

const find = (parts, peer, batch) => parts.find(part => part.peer === peer && part.batch === batch);

// `column` says a figure's name and the batch; `ratio(theirs, ours)` what stands in parentheses.
function comparison(parts, columns, ratio) {
  const rows = peers
    .filter(peer => columns.some(column => find(parts, peer.key, column.batch)))
    .map(peer => [peer.name, ...columns.map(({ figure, batch, format = grouped }) => {
      const theirs = find(parts, peer.key, batch);
      const ours = find(parts, 'pgqrs', batch);
      if (theirs === undefined) return '';
      if (peer.key === 'pgqrs' || ours === undefined) return format(theirs[figure]);
      return `${format(theirs[figure])} (${short(ratio(theirs[figure], ours[figure]))})`;
    })]);
  return lines(['', ...columns.map(column => column.title)], rows);
}

const rate = (parts, columns) => comparison(parts, columns, (theirs, ours) => ours / theirs);
const cost = (parts, columns) => comparison(parts, columns, (theirs, ours) => theirs / ours);

module.exports = { lines, rate, cost, grouped, short, find };
