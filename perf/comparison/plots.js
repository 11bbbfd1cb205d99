'use strict';
// The plots of docs/benchmarks.md.

const { grouped } = require('../lib/figures');
const { linePlot, rangePlot } = require('../lib/plot');
const { peers, find } = require('./peers');

const looks = peer => ({ label: peer.name, colour: peer.colour, bold: peer.key === 'pgqrs' });

// Of all peers that have the part; null if none has.
function collect(report, size, describe) {
  const rows = peers.flatMap(peer => {
    const part = find(report.parts, peer.key, size);
    return part === undefined ? [] : [{ ...looks(peer), ...describe(part) }];
  });
  return rows.length > 0 ? rows : null;
}

function wholeLife(report) {
  const batches = [...new Set(report.parts.filter(part => part.kind === 'life').map(part => part.batch))].sort((a, b) => a - b);
  const series = peers
    .map(peer => ({ ...looks(peer), points: batches.flatMap(batch => {
      const part = find(report.parts, peer.key, batch);
      return part === undefined ? [] : [{ x: batch, y: part.whole_life.jobs_per_second }];
    }) }))
    .filter(one => one.points.length > 1);
  if (series.length === 0) return null;
  return linePlot('Whole life by size of batch', 'jobs a second, enqueued, claimed and finished', 'jobs in a batch', batches,
    series, grouped);
}

function pickup(report) {
  const groups = collect(report, 'pickup', part => ({ rows: ['idle', 'half'].map(phase => ({
    label: phase === 'idle' ? 'idle' : 'half load', p50: part[phase].p50_us, p99: part[phase].p99_us, max: part[phase].max_us,
    trip: part[phase].round_trip_us })) }));
  return groups && rangePlot("Pickup: from the enqueue's return to the handler's start",
    'dot: median; thick line: to the 99th percentile; tick: the longest; white mark: one round trip to the server', groups);
}

// [file, text] of those that this run has something for.
const plots = report => [['whole-life.svg', wholeLife], ['pickup.svg', pickup]]
  .map(([name, draw]) => [name, draw(report)])
  .filter(([, drawn]) => drawn !== null);

module.exports = { plots };
