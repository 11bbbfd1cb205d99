'use strict';
// What the parts are called, what they must reach, and their plots.

const { grouped } = require('../compare/table');
const { linePlot } = require('./lineplot');

const blue = '#1f6feb';
const grey = '#9aa4b2';
const orange = '#bc4c00';

const titles = {
  'read-only': 'a read-only transaction held open',
  xid: 'a transaction with an id held open',
  none: 'no transaction held open',
};

function title(part) {
  if (part.kind in titles) return titles[part.kind];
  const count = grouped(part.result.settings[part.kind]);
  return `${count} ${part.kind === 'backlog' ? 'waiting' : 'delayed'} messages, batch ${part.batch}`;
}

const isHeld = part => part.kind in titles;

// [what, target as text, measured, reached]; the numbers.
function targets(part) {
  const { result } = part;
  if (!isHeld(part)) return [['claim p99, with against without', 'at most 1.25', result.ratio_p99, result.ratio_p99 <= 1.25]];
  return [
    ['rate, end against beginning', 'at least 0.95', result.ratio, result.ratio >= 0.95],
    ['claim p99, end against beginning', 'at most 2', result.claim_p99_ratio, result.claim_p99_ratio <= 2],
  ];
}

const course = (windows, figure) => windows.map(window => [window.until_second, window[figure]]);
const ms = value => String(value);

function claimPlot(part) {
  const { result } = part;
  const lines = (windows, colour, suffix) => [
    { label: `p99${suffix}`, colour, points: course(windows, 'claim_p99_ms') },
    { label: `p50${suffix}`, colour, dashed: true, points: course(windows, 'claim_p50_ms') },
  ];
  const series = isHeld(part) ? lines(result.windows, blue, '')
    : [...lines(result.with.windows, blue, ' with them'), ...lines(result.without.windows, grey, ' on the empty twin')];
  return linePlot(`A claim with ${title(part)}`, `milliseconds of a claim of ${part.batch}`, series, ms);
}

function ratePlot(parts) {
  const colours = { 'read-only': blue, xid: orange, none: grey };
  const series = parts.map(part =>
    ({ label: part.kind, colour: colours[part.kind], points: course(part.result.windows, 'finished_per_second') }));
  return linePlot('Rate while a transaction is held open', 'messages finished a second', series, grouped);
}

// Names and texts of all plots.
function plots(parts) {
  const held = parts.filter(isHeld);
  return [
    ...(held.length > 0 ? [['rate.svg', ratePlot(held)]] : []),
    ...parts.map(part => [`claim-${part.name}.svg`, claimPlot(part)]),
  ];
}

module.exports = { isHeld, plots, targets, title };
