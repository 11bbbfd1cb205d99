'use strict';
// One part in a process of its own: `node part.js '{"peer": ..., "batch": ..., ...}'`. Prints one JSON object.
//
// A peer is a class whose objects have
//   setup()                everything up to and including open connections, on an empty database
//   enqueueSingle()        one durable job
//   enqueueBulk(count)     so many, durable, in one call
//   drain(count)           works until so many jobs have been handed out and finished; the job does nothing; may
//                          answer with the seconds that count, if closing afterwards should not
//   teardown()             checks that nothing is left, and closes
//   checkpoint(), analyze()   for servers that have such a thing
//   logBytes()             bytes of log that its server has written so far
// and optionally enqueueAll(jobs), for those that are not called from JavaScript. `settings` says what was chosen.

const { serverCpu, clientCpu } = require('./usage');

// For the just-in-time compiler and the server's caches.
const warmUpJobs = 2000;

async function enqueue(peer, part, jobs) {
  let next = 0;
  if (peer.enqueueAll) return peer.enqueueAll(jobs);
  async function caller() {
    while (next < jobs) {
      const count = Math.min(part.batch, jobs - next);
      next += count;
      if (part.batch === 1) await peer.enqueueSingle();
      else await peer.enqueueBulk(count);
    }
  }
  await Promise.all(Array.from({ length: part.callers }, caller));
  return undefined;
}

// Runs a phase. Its time is the peer's own if it says one: programs that connect first do not count that.
async function phase(peer, work) {
  const before = { server: serverCpu(peer.serverPid), client: clientCpu(), log: await peer.logBytes() };
  const started = process.hrtime.bigint();
  const said = await work();
  const seconds = said ?? Number(process.hrtime.bigint() - started) / 1e9;
  return {
    seconds,
    client: clientCpu() - before.client,
    server: serverCpu(peer.serverPid) - before.server,
    log: (await peer.logBytes()) - before.log,
  };
}

async function main() {
  const part = JSON.parse(process.argv[2]);
  const Peer = require(`./peers/${part.peer}`);
  const peer = new Peer(part);
  const warmUp = Math.min(warmUpJobs, Math.floor(part.jobs / 4));

  // Before the warm-up, so that no peer pays for pages that are logged whole after a checkpoint.
  await peer.setup();
  await peer.checkpoint();
  await enqueue(peer, part, warmUp);
  await peer.drain(warmUp);
  const first = await phase(peer, () => enqueue(peer, part, part.jobs));
  // As autovacuum would within a minute. Without it pg-boss cost two to three times as much.
  await peer.analyze();
  const second = await phase(peer, () => peer.drain(part.jobs));
  await peer.teardown();

  const perJob = name => (first[name] + second[name]) / part.jobs;
  console.log(JSON.stringify({
    settings: peer.settings,
    enqueue_per_second: part.jobs / first.seconds,
    finish_per_second: part.jobs / second.seconds,
    whole_life_per_second: part.jobs / (first.seconds + second.seconds),
    log_bytes_per_job: perJob('log'),
    server_cpu_us_per_job: perJob('server') * 1e6,
    client_cpu_us_per_job: perJob('client') * 1e6,
  }));
}

main().catch(error => {
  console.error(`part.js: ${process.argv[2]}: ${error.stack ?? error}`);
  process.exit(1);
});
