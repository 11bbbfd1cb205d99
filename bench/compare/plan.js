'use strict';
// What is measured: one line a peer and size of batch. Counts are chosen so that a part takes a few seconds.
// `callers` enqueue at the same time, `workers` claim and finish; the same for every peer.

const single = { batch: 1, callers: 8, workers: 8 };
const bulk = batch => ({ batch, callers: 4, workers: 4 });

const parts = [
  { peer: 'pgqrs', jobs: 20000, ...single },
  { peer: 'pgqrs', jobs: 60000, ...bulk(10) },
  { peer: 'pgqrs', jobs: 200000, ...bulk(100) },
  { peer: 'pgqrs', jobs: 200000, ...bulk(1000) },
  { peer: 'plain', jobs: 12000, ...single },
  { peer: 'plain', jobs: 40000, ...bulk(10) },
  { peer: 'plain', jobs: 100000, ...bulk(100) },
  { peer: 'plain', jobs: 100000, ...bulk(1000) },
  { peer: 'pgq', jobs: 20000, ...single },
  { peer: 'pgq', jobs: 60000, ...bulk(10) },
  { peer: 'pgq', jobs: 100000, ...bulk(100) },
  { peer: 'pgq', jobs: 100000, ...bulk(1000) },
  { peer: 'graphile', jobs: 10000, ...single },
  { peer: 'graphile', jobs: 20000, ...bulk(10) },
  { peer: 'graphile', jobs: 80000, ...bulk(100) },
  { peer: 'graphile', jobs: 80000, ...bulk(1000) },
  { peer: 'boss', jobs: 6000, ...single },
  { peer: 'boss', jobs: 12000, ...bulk(10) },
  { peer: 'boss', jobs: 60000, ...bulk(100) },
  { peer: 'boss', jobs: 60000, ...bulk(1000) },
  { peer: 'bullmq', jobs: 12000, ...single },
  { peer: 'bullmq', jobs: 20000, ...bulk(10) },
  { peer: 'bullmq', jobs: 30000, ...bulk(100) },
  { peer: 'bullmq', jobs: 30000, ...bulk(1000) },
];

module.exports = { parts };
