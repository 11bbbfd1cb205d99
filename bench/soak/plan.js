'use strict';
// What is measured: each part is one call of `pgqrs bench`.

const batches = [1, 100];

// `numbers`: seconds, rate, backlog, delayed, claims.
function twins(kind, numbers) {
  return batches.map(batch => ({
    name: `${kind}-${batch}`,
    kind,
    batch,
    command: ['bench', `--${kind}`, numbers[kind], '--batch', batch, '--jobs', numbers.claims * batch],
  }));
}

function held(kind, numbers) {
  return [{
    name: kind,
    kind,
    batch: 100,
    command: ['bench', '--hold-transaction', kind, '--rate', numbers.rate, '--seconds', numbers.seconds, '--batch', 100,
      '--producers', 2, '--workers', 4],
  }];
}

function planParts(kinds, numbers) {
  return kinds.flatMap(kind => (kind === 'backlog' || kind === 'delayed' ? twins : held)(kind, numbers));
}

module.exports = { planParts };
