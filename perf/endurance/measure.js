'use strict';
// Runs the parts one after the other: each is one call of perf-driver. Called by perf/soak, which starts the server.

const driver = require('../lib/driver');
const { describeMachine, describeServer } = require('../lib/machine');
const { withOthers } = require('../lib/usage');

const server = Number(process.env.PERF_SERVER_PID);

// `numbers`: seconds, rate, backlog, delayed, claims.
function planParts(kind, numbers) {
  if (kind === 'xid')
    return [{ name: kind, kind, batch: 100, mode: 'held',
      settings: { rate: numbers.rate, seconds: numbers.seconds, batch: 100, callers: 2, workers: 4 } }];
  return [1, 100].map(batch => ({ name: `${kind}-${batch}`, kind, batch, messages: numbers[kind], mode: 'twins',
    settings: { [kind]: numbers[kind], batch, jobs: numbers.claims * batch } }));
}

async function measure({ mode, settings, ...part }) {
  const { outcome, seconds, others } = await withOthers([server], () => driver.drive(mode, settings));
  const { report: result } = outcome;
  console.error(`${part.name.padEnd(12)} ${mode === 'held' ? `rate ${result.ratio} of the first, claim p99 ` +
    `${result.claim_p99_ratio} times` : `claim p99 ${result.ratio_p99} times`}; ` +
    `others had ${Math.round(others * 100)} % of the processors`);
  return { ...part, command: outcome.settings, seconds, others_cpu_share: others, result };
}

async function main() {
  const { parts: kinds, ...rest } = driver.options();
  const numbers = Object.fromEntries(['seconds', 'rate', 'backlog', 'delayed', 'claims'].map(name => [name, Number(rest[name])]));
  const started = new Date();
  const machine = describeMachine(process.env.PGHOST);
  const described = describeServer();
  const parts = [];

  for (const part of kinds.split(',').filter(kind => kind !== '').flatMap(kind => planParts(kind, numbers)))
    parts.push(await measure(part));
  driver.write({ date: started.toISOString().slice(0, 10), seconds: Math.round((Date.now() - started) / 1000), numbers,
    machine, ...described, parts });
}

main().catch(error => {
  console.error(`soak: ${error.stderr || error.stack || error}`);
  process.exit(1);
});
