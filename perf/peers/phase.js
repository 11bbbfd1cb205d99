'use strict';
// What a stretch of work took and cost.

const { serverCpu, clientCpu, now } = require('../lib/usage');

// Work may answer with its own `seconds`, where closing afterwards should not count.
async function phase(peer, work) {
  const before = { server: serverCpu(peer.serverPid), client: clientCpu(), log: await peer.logBytes() };
  const started = now();
  const said = await work();
  const seconds = now() - started;
  return {
    seconds,
    client: clientCpu() - before.client,
    server: serverCpu(peer.serverPid) - before.server,
    log: (await peer.logBytes()) - before.log,
    ...said,
  };
}

// The fields of perf-driver's report, of some phases together.
function figures(jobs, phases) {
  const sum = name => phases.reduce((total, one) => total + one[name], 0);
  return {
    jobs,
    jobs_per_second: jobs / sum('seconds'),
    wal_bytes_per_job: sum('log') / jobs,
    server_cpu_us_per_job: (sum('server') / jobs) * 1e6,
    client_cpu_us_per_job: (sum('client') / jobs) * 1e6,
  };
}

module.exports = { phase, figures };
