'use strict';
// One part in a process of its own: `node part.js '{"peer": ..., "kind": ..., ...}'`. Prints one JSON object.
//
// A peer is a class whose objects have
//   setup()                everything up to and including open connections, on an empty database
//   enqueueSingle(number)  one durable job, with its number if there is one
//   enqueueBulk(count)     so many, durable, in one call
//   drain(count)           works until so many jobs have been handed out and finished; the job does nothing; may
//                          answer with its { seconds }
//   work(handler)          starts a worker, tuned for a low latency, that calls handler(number) as a job begins;
//                          answers with a function that stops it
//   ping()                 the least that the server can be asked, on a connection that does nothing else
//   teardown()             checks that nothing is left, and closes
//   checkpoint(), analyze()   for servers that have such a thing
//   logBytes()             bytes of log that its server has written so far
// `settings` says what was chosen.

const { enqueue, measureLife } = require('./life');
const { measurePickup } = require('./pickup');

const { warmUpOf } = require('../comparison/plan');

async function main() {
  const part = JSON.parse(process.argv[2]);
  const Peer = require(`./${part.peer.replace(/-.*/, '')}`);
  const peer = new Peer(part);
  const warmUp = warmUpOf(part);

  // Before the warm-up, so that no peer pays for pages that are logged whole after a checkpoint.
  await peer.setup();
  await peer.checkpoint();
  await enqueue(peer, part, warmUp);
  await peer.drain(warmUp);
  const figures = await (part.kind === 'pickup' ? measurePickup : measureLife)(peer, part);
  await peer.teardown();
  console.log(JSON.stringify({ settings: peer.settings, ...figures }));
}

main().catch(error => {
  console.error(`part.js: ${process.argv[2]}: ${error.stack ?? error}`);
  process.exit(1);
});
