'use strict';
// What a stretch of work took and cost.

const { serverCpu, clientCpu } = require('./usage');

const now = () => Number(process.hrtime.bigint()) / 1e9;

// Work may answer with an object: its own `seconds`, where closing afterwards should not count; its own `client`, where
// it is done by a program that is still running; and whatever else it found out.
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

// The costs of one job, with their names' beginning.
function costs(prefix, jobs, phases) {
  const perJob = name => phases.reduce((sum, one) => sum + one[name], 0) / jobs;
  return {
    [`${prefix}log_bytes_per_job`]: perJob('log'),
    [`${prefix}server_cpu_us_per_job`]: perJob('server') * 1e6,
    [`${prefix}client_cpu_us_per_job`]: perJob('client') * 1e6,
  };
}

module.exports = { phase, costs, now };
